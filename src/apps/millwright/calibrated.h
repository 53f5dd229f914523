// SPDX-License-Identifier: Apache-2.0
// A model calibrated, or its ranges taken from the record of an earlier calibration.
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "apps/millwright/samples.h"
#include "base/error.h"
#include "lab/calibration_record.h"
#include "lab/quantize.h"
#include "recording/dataset.h"

namespace millwright::apps {

struct Calibrated {
  lab::Int8Quantizer quantizer;
  lab::CalibrationRecord record;
  bool is_reused = false;            // nothing was run: the record fits
  std::vector<std::string> differs;  // the parts of the key for which the record that was there was not used
};

// `record`, a file, is used where it is there and fits, and written anew else; empty: there is none. kCorrupt: it is
// there and cannot be read; it is left as it is. `format` is how the samples are read: it belongs to the key.
Result<Calibrated> calibrated(std::span<const std::byte> model, recording::Dataset& samples, const SampleFormat& format,
                              lab::CalibrationMethod method, bool equalize, const std::filesystem::path& record);

// TensorRT's and ONNX Runtime's tables and the record, beside the model of this name.
Status write_calibration(const std::filesystem::path& model, const lab::CalibrationRecord& record);

}  // namespace millwright::apps
