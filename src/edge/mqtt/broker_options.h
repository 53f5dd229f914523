// SPDX-License-Identifier: Apache-2.0
// How a broker is reached, from the configuration; the same for the uplink, for samples and for verdicts.
#pragma once

#include "edge/config.h"
#include "net/mqtt/client_options.h"

namespace millwright::edge {

// With the configured client id; nothing is subscribed.
net::mqtt::ClientOptions broker_options(const BrokerConfig& broker);

}  // namespace millwright::edge
