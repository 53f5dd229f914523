// SPDX-License-Identifier: Apache-2.0
// Valid ONNX models made at random: what exporters of image and tabular networks write, in all combinations that a seed
// brings up.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "base/files.h"

namespace millwright::models {

struct RandomModel {
  Bytes bytes;
  int64_t opset = 0;                  // 11 .. 21
  bool has_dynamic_batch = false;     // else 1
  std::vector<int64_t> sample_shape;  // of the only input, without the batch
  std::set<std::string> operators;    // that it is made of
};

// The same seed gives the same bytes. Weights are scaled so that outputs stay of the order of 1.
RandomModel random_model(uint64_t seed);

}  // namespace millwright::models
