// SPDX-License-Identifier: Apache-2.0
// Takes out what contributes least: whole channels, which makes a model smaller and faster everywhere, or single
// weights, which helps only where zeros are skipped.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/files.h"

namespace millwright::lab {

struct PruneOptions {
  double ratio = 0.3;  // of each layer's channels, or of all weights; above 0, below 1
  bool is_structured = true;
};

struct PrunedLayer {
  std::string node;
  size_t channels = 0;       // before
  size_t channels_left = 0;  // at least one
  double sparsity = 0.0;     // share of zeros among its weights afterwards
  std::string kept_why;      // empty: channels could be taken out
};

struct Pruned {
  Bytes model;
  // The model before, with the same channels set to 0: what the pruned one must equal.
  Bytes masked;
  std::vector<PrunedLayer> layers;
  size_t parameters_before = 0;
  size_t parameters_after = 0;  // those that are not 0, where single weights go
};

// Channels that belong together go together: those with the least sum of magnitudes of the filters that make them (L1;
// H. Li et al., "Pruning Filters for Efficient ConvNets", ICLR 2017), the same share in each set of layers that share
// channels. Not trained anew: expect a loss, and train afterwards. kInvalidInput: a ratio out of range, or nothing that
// can be taken out, with the reason; kUnsupported: raise_opset()'s.
Result<Pruned> prune(std::span<const std::byte> model, const PruneOptions& options);

}  // namespace millwright::lab
