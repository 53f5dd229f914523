// SPDX-License-Identifier: Apache-2.0
// A judge that is a bundle: its features, its model, its threshold.
#pragma once

#include <memory>

#include "base/error.h"
#include "edge/config.h"
#include "edge/judge.h"

namespace millwright::edge {

// Reads and checks the asset's bundle without running it; kInvalidInput where its windows are not the asset's.
Status check_bundle(const AssetConfig& asset);

// The same, then loads the model, proves it on its golden vectors and warms it up.
Result<std::unique_ptr<Judge>> make_bundle_judge(const AssetConfig& asset);

}  // namespace millwright::edge
