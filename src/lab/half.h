// SPDX-License-Identifier: Apache-2.0
// Half precision: constants and arithmetic in 16-bit floats, inputs and outputs as they were.
#pragma once

#include <span>
#include <vector>

#include "base/error.h"
#include "base/files.h"
#include "lab/calibrate.h"
#include "lab/quant_plan.h"
#include "recording/dataset.h"

namespace millwright::lab {

// IEEE 754 binary16.
inline constexpr float kLargestHalf = 65'504.0F;
// What a value may reach on the samples: unseen ones may go twice as far.
inline constexpr float kHalfRoom = kLargestHalf / 2.0F;

struct HalfModel {
  Bytes model;
  size_t half_nodes = 0;
  std::vector<LeftFloat> left_float;  // operators that have no half form, or whose values are too large for it
};

// Raised, prepared, its ranges measured on the samples, converted. kInvalidInput: nothing can be converted; else the
// errors of Int8Quantizer::create and calibrate.
Result<HalfModel> to_half(std::span<const std::byte> model, recording::Dataset& samples,
                          const CalibrationOptions& options = {});

}  // namespace millwright::lab
