// SPDX-License-Identifier: Apache-2.0
// How much each channel of a network matters, by four measures.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string_view>

#include "base/error.h"
#include "lab/channel_pruner.h"
#include "recording/dataset.h"

namespace millwright::lab {

enum class Criterion : uint8_t {
  kL1,          // sum of magnitudes of the filter that makes it (H. Li et al., ICLR 2017)
  kL2,          // root of the sum of squares of the same
  kBatchNorm,   // magnitude of the scale that BatchNorm gives it (Z. Liu et al., ICCV 2017)
  kActivation,  // mean magnitude on samples times magnitudes of the weights that read it (after M. Sun et al., ICLR
                // 2024)
};
// "l1", "l2", "bn", "activation"; nullopt: none of them.
std::optional<Criterion> criterion(std::string_view name);

struct ImportanceOptions {
  Criterion criterion = Criterion::kL1;
  recording::Dataset* calibration = nullptr;  // for kActivation; read once, one sample at a time
  std::function<void(size_t done, size_t all)> progress;
};

// Of every channel; relative to the mean of its layer, so that layers of different scale that share channels have an
// equal say. `model` is the one before it was prepared: there BatchNorm is not folded yet. kInvalidInput: a layer that
// could lose channels has no BatchNorm, no samples, samples that do not fit or give values that are not finite.
Result<ChannelScores> importance(const ChannelPruner& pruner, std::span<const std::byte> model,
                                 const ImportanceOptions& options);

}  // namespace millwright::lab
