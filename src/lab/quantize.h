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

struct QuantizeOptions {
  CalibrationOptions calibration;
  QdqForm form;
  std::set<std::string> float_nodes;  // by name
};

struct Quantized {
  Bytes model;
  QuantPlan plan;
  Ranges ranges;  // of plan.activations
};

// The whole way of one model: raised to a new operator set, prepared, planned, calibrated, written. kInvalidInput:
// there is nothing to quantise, it is quantised already, or the samples do not fit; kUnsupported: raise_opset()'s.
Result<Quantized> quantize_int8(std::span<const std::byte> model, recording::Dataset& samples,
                                const QuantizeOptions& options = {});

// Scale and zero point of an 8-bit value.
struct ActivationScale {
  float scale = 1.0F;
  int zero_point = 0;
};
ActivationScale activation_scale(const Range& range, bool is_symmetric);

// The last step alone.
Status write_qdq(onnx::Graph& graph, const QuantPlan& plan, const Ranges& ranges, const QdqForm& form);

}  // namespace millwright::lab
