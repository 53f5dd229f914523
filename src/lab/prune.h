// SPDX-License-Identifier: Apache-2.0
// Takes out what contributes least: whole channels, which makes a model smaller and faster everywhere, or single
// weights, which helps only where zeros are skipped.
#pragma once

#include <cstddef>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/files.h"
#include "lab/importance.h"

namespace millwright::lab {

struct PruneOptions {
  double ratio = 0.3;  // of each layer's channels, or of all weights; above 0, below 1
  bool is_structured = true;
  ImportanceOptions importance;          // of channels; single weights go by their magnitude
  std::map<std::string, double> ratios;  // of some sets of layers that share channels, by the first layer as described
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

// Channels that belong together go together: those that matter least, the same share in each set of layers that share
// channels. Not trained anew: expect a loss, and train afterwards. kInvalidInput: a ratio out of range, a model that is
// quantised already, or nothing that can be taken out, with the reason; else as importance() and raise_opset().
Result<Pruned> prune(std::span<const std::byte> model, const PruneOptions& options);

}  // namespace millwright::lab
