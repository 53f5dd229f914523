// SPDX-License-Identifier: Apache-2.0
// Static 8-bit quantisation in QDQ form (ONNX QuantizeLinear and DequantizeLinear around float operators), which ONNX
// Runtime, TensorRT and OpenVINO turn into integer kernels.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/files.h"
#include "lab/calibrate.h"
#include "lab/quant_plan.h"
#include "onnx/graph.h"
#include "recording/dataset.h"

namespace millwright::lab {

struct QdqForm {
  // Signed activations with zero point 0, as TensorRT wants them; on a CPU a Relu then keeps its kernel in float. Else
  // unsigned with a zero point of their own, which loses nothing on values that are never negative.
  bool symmetric_activations = false;
  // Weights use all of their 8 bits. Processors with VNNI, ARM's dot product and accelerators calculate with them
  // exactly; x86 without VNNI does not, and a model would say something else there. Without this every processor says
  // the same, at a rounding of the weights that is coarser by up to 2.
  bool full_weights = false;
};

struct Quantized {
  Bytes model;
  QuantPlan plan;
};

// What is known or wanted before calibration.
struct Int8Start {
  const Ranges* measured = nullptr;  // by an earlier calibration of the same model and samples; nothing is run then
  bool equalize = false;             // weights of neighbouring layers first brought to the same size (equalize.h)
};

// One model, prepared and calibrated once; written as often as somebody wants to try another choice of layers.
class Int8Quantizer {
 public:
  // Raised to a new operator set, prepared, planned, calibrated. kInvalidInput: there is nothing to quantise, it is
  // quantised already, or the samples do not fit; kUnsupported: raise_opset()'s; kCorrupt: start.measured lacks a
  // value.
  static Result<Int8Quantizer> create(std::span<const std::byte> model, recording::Dataset& samples,
                                      const CalibrationOptions& options = {}, const Int8Start& start = {});

  // `float_nodes`, by name, stay as they are.
  [[nodiscard]] Result<Quantized> quantize(const QdqForm& form = {},
                                           const std::set<std::string>& float_nodes = {}) const;

  // In float, with all values' shapes; its nodes' names are what float_nodes names.
  [[nodiscard]] const onnx::Graph& graph() const { return graph_; }
  [[nodiscard]] const QuantPlan& plan() const { return plan_; }  // with no layer left in float
  [[nodiscard]] const Ranges& ranges() const { return ranges_; }
  [[nodiscard]] size_t equalized_pairs() const { return equalized_pairs_; }  // 0: there are none, or nobody asked

 private:
  Int8Quantizer(onnx::Graph graph, QuantPlan plan) : graph_(std::move(graph)), plan_(std::move(plan)) {}
  onnx::Graph graph_;
  QuantPlan plan_;
  Ranges ranges_;
  size_t equalized_pairs_ = 0;
};

// Scale and zero point of an 8-bit value.
struct ActivationScale {
  float scale = 1.0F;
  int zero_point = 0;
};
ActivationScale activation_scale(const Range& range, bool is_symmetric);

}  // namespace millwright::lab
