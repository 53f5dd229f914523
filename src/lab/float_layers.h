// SPDX-License-Identifier: Apache-2.0
// What 8 bits do to each layer, and which layers had better stay in float.
#pragma once

#include <set>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "lab/compare.h"
#include "lab/quantize.h"
#include "recording/dataset.h"

namespace millwright::lab {

struct LayerError {
  std::string node;  // its name
  std::string op;
  double sqnr_db = 0.0;  // signal to quantisation noise of what it gives, all layers in 8 bits; 200: no noise
  double gain_db = 0.0;  // how much better the model's first output is where this layer alone stays in float
};

inline constexpr size_t kErrorSamples = 32;  // as many of the samples, spread over all, are looked at

// One entry for each layer with weights; the worst, by gain, first. Runs the model once per layer and sample.
Result<std::vector<LayerError>> layer_errors(const Int8Quantizer& quantizer, const QdqForm& form,
                                             recording::Dataset& samples);

struct Gate {
  std::span<const std::byte> before;  // the model in float
  recording::Dataset& validation;
  CompareOptions compare;
  double max_drop = 1.5;  // points, or % of an RMSE
};

struct Gated {
  Quantized quantized;
  Comparison cost;
  std::set<std::string> float_nodes;
  bool held = false;
};

// All layers in 8 bits, then the worst 1, 2, 4, ... of `ranked` in float, up to half of them, until the gate holds; the
// one that lost least where it never does.
Result<Gated> search_float_layers(const Int8Quantizer& quantizer, const QdqForm& form,
                                  std::span<const LayerError> ranked, const Gate& gate);

// One choice of layers, judged.
Result<Gated> judge(const Int8Quantizer& quantizer, const QdqForm& form, const std::set<std::string>& float_nodes,
                    const Gate& gate);

}  // namespace millwright::lab
