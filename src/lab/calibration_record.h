// SPDX-License-Identifier: Apache-2.0
// What a calibration found, for whoever wants the same again or needs it in another form.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "lab/calibrate.h"

namespace millwright::lab {

// What ranges depend on: with any other of these they are others.
struct CalibrationKey {
  std::string model_digest;  // SHA-256 of the model in float, hexadecimal
  std::string data_digest;
  std::string method;
  double percentile = kCalibrationPercentile;
  uint64_t bins = kCalibrationBins;
  std::string tool_version;
  bool is_equalized = false;  // the weights were, before
  bool operator==(const CalibrationKey&) const = default;
};

struct CalibrationRecord {
  CalibrationKey key;
  Ranges ranges;
};

// The parts in which two keys differ, in words for a person: "model", "samples or their preprocessing", "method",
// "percentile", "bins", "tool version", "--equalize". Empty: ranges of one are ranges of the other.
std::vector<std::string> differences(const CalibrationKey& a, const CalibrationKey& b);

// One JSON object, the same bytes for the same record. FORMAT.md has it.
std::string to_json(const CalibrationRecord& record);
// kCorrupt: not a record, of another format, or with a range that is not finite or does not hold 0.
Result<CalibrationRecord> read_calibration_record(std::string_view json);

// TensorRT's calibration.cache: a line that names the algorithm, then "tensor: scale" for each, the scale of a
// symmetric 8-bit range as the hexadecimal digits of its float (NVIDIA TensorRT Developer Guide, "Calibration").
std::string tensorrt_cache(const CalibrationRecord& record);

}  // namespace millwright::lab
