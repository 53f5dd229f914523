// SPDX-License-Identifier: Apache-2.0
// Whether the runtime made of a quantised model what was meant: it keeps its float kernels without a word where
// something does not suit it, and an "INT8" model is then slower than the one it was made of.
#pragma once

#include <span>
#include <vector>

#include "base/error.h"
#include "inference/optimised.h"
#include "lab/quantize.h"

namespace millwright::lab {

struct KernelCheck {
  inference::Kernels kernels;
  // Every product and convolution that calculates in float, by its name, and why: named to, or no 8-bit form (the
  // plan's reasons), or kept by the runtime although it was quantised.
  std::vector<LeftFloat> left_float;
  // How many layers were quantised and are no integer kernels. 0: what was meant. Nothing may be said of the file's
  // speed else.
  size_t missing = 0;
};

// Loads the model: try it first. Errors as inference::kernels.
Result<KernelCheck> check_kernels(const Quantized& quantized);

// The same of kernels that were looked at before.
KernelCheck judge_kernels(inference::Kernels kernels, const QuantPlan& plan);

}  // namespace millwright::lab
