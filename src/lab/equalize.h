// SPDX-License-Identifier: Apache-2.0
// Weights of neighbouring layers brought to the same size, channel by channel, so that one scale fits more of them.
#pragma once

#include <cstddef>

#include "onnx/graph.h"

namespace millwright::lab {

// Cross-layer equalisation (Nagel et al., "Data-Free Quantization Through Weight Equalization and Bias Correction",
// ICCV 2019, section 4.1): where a Conv is read by a Conv alone, or a Gemm by a Gemm, with a Relu or nothing between,
// channel i of the first is divided by s_i = sqrt(r1_i / r2_i) and what the second reads of it multiplied, r being the
// largest weight of the channel on either side; swept over all pairs until nothing changes. A Relu of a positive
// multiple is the multiple of the Relu, so that the graph says the same but for rounding. Convolutions in groups and
// depthwise ones are taken; weights and bias must be constants of 32-bit floats that nobody else reads. Returns the
// number of pairs.
size_t equalize(onnx::Graph& graph);

}  // namespace millwright::lab
