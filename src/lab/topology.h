// SPDX-License-Identifier: Apache-2.0
// Writes two networks that everybody measures with, at their published sizes and with random weights: for how fast they
// run, and whether every layer becomes an integer kernel, weights need not be trained.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "base/error.h"
#include "base/files.h"

namespace millwright::lab {

inline constexpr int64_t kMinTopologySize = 32;  // the last stage sees a 32nd of it
inline constexpr int64_t kMaxTopologySize = 1'024;

struct TopologyOptions {
  int64_t size = 224;  // height and width of the input
  uint64_t seed = 1;
};

// "resnet50" is version 1.5 (K. He et al., "Deep residual learning for image recognition", CVPR 2016, with the stride
// in the 3x3 convolution): 25,557,032 parameters, 4.09 G multiply-adds at 224. "mobilenetv2" (M. Sandler et al.,
// "MobileNetV2: Inverted residuals and linear bottlenecks", CVPR 2018, width 1): 3,504,872 parameters, 0.30 G.
//
// ONNX, operator set 17: "images", float (batch, 3, size, size), gives "logits", float (batch, 1000). Convolutions
// without bias, each followed by BatchNormalization. Weights are normal with variance 2 / fan-in (K. He et al.,
// "Delving deep into rectifiers", ICCV 2015). Statistics of the norms are random around what standard normal images
// give, so that activations stay of the order of 1 through all layers. Equal options give equal bytes on equal
// mathematics libraries. kInvalidInput: another name, with those that are known, or a size out of range.
Result<Bytes> topology(std::string_view name, const TopologyOptions& options = {});
std::span<const std::string_view> topology_names();

}  // namespace millwright::lab
