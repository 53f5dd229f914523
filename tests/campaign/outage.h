// SPDX-License-Identifier: Apache-2.0
// The campaign "outage": the network to a real broker is away for hours or for a month while strokes go on, then it is
// back. Afterwards every message must be at the hub, or be counted as given up.
//
// How time is accelerated: journal, feeder, outbox, sender and MQTT client are the real ones, in this process. While
// the link is cut the clock that the store and the upkeep see is set forward by as long as the strokes of each round
// would take, and their records carry the times they would have had; the client, which only tries to connect, lives in
// real time throughout. From the moment the link is back all is real time: live strokes, pace, lag, drain.
//
// Controls: a hub that passes over messages that it has acknowledged, and a box that tells its strokes late.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "base/error.h"
#include "campaign/stroke_contract.h"

namespace millwright::campaign {

// An outage of `options.trials` hours at one score a second; one of 30 days, below 8 hours with one score in three
// minutes and else with 300,000 of them and 100,000 alerts, of which most scores expire; and from 8 hours on one of 68
// hours at 1.2 scores a second, which is more than the store holds.
Result<nlohmann::ordered_json> run_outage(const CampaignOptions& options);

}  // namespace millwright::campaign
