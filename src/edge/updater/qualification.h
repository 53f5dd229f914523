// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>

#include "base/error.h"
#include "edge/config.h"
#include "edge/judges/bundle_judge.h"

namespace millwright::edge {

// Whether this box can run the bundle for this asset: it can be read, its windows are the asset's, it is sound in a
// confined child on the CPU, and a rung of the configured ladder gives its golden vectors within the latency budget.
// Takes as long as the trials do; kCancelled soon after `cancel_fd` becomes readable. Nothing stays but engines in
// their cache.
Status qualify_bundle(const AssetConfig& asset, const std::filesystem::path& bundle, const InferenceConfig& settings,
                      const JudgeMaker& maker, int cancel_fd);

}  // namespace millwright::edge
