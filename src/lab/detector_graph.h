// SPDX-License-Identifier: Apache-2.0
// What the ONNX graphs of all detectors have in common: their inputs, outputs and the scaling in front.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "lab/scaling.h"
#include "onnx/graph_builder.h"

namespace millwright::lab {

// Row after row, as ONNX keeps tensors.
std::vector<float> flat_floats(const Matrix& matrix);

class DetectorGraph {
 public:
  DetectorGraph(std::string_view name, const Scaling& scaling);

  [[nodiscard]] onnx::GraphBuilder& builder() { return builder_; }
  // The tensor of (x - centre) / scale, (batch, features).
  [[nodiscard]] const std::string& scaled() const { return scaled_; }

  // Declares the outputs: `score` (batch), `contribution` (batch, features), and writes the model.
  Result<Bytes> finish(const std::string& score, const std::string& contribution);

 private:
  int64_t features_;
  onnx::GraphBuilder builder_;
  std::string scaled_;
};

}  // namespace millwright::lab
