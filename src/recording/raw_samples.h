// SPDX-License-Identifier: Apache-2.0
// Samples without a header: numbers one after the other, as programs in C write them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "recording/dataset.h"
#include "recording/npy_header.h"

namespace millwright::recording {

struct RawFormat {
  std::vector<int64_t> shape;  // of one sample, without the batch; in C order
  NpyElement element{};        // little-endian
  std::string_view type;       // "float32"
};

// Shape as "3x32x32" or "640"; type float32, float64, int8, uint8, int16, uint16 or int32. kInvalidInput says which
// word is wrong, kTooLarge above kMaxSampleValues.
Result<RawFormat> parse_raw_format(std::string_view shape, std::string_view type);

// A file of samples, or all .raw and .bin files of a folder in the order of their names, each of them of one or more.
// kCorrupt: a file is no whole number of samples, with both sizes; kInvalidInput: there is none. Messages name the
// file.
Result<std::unique_ptr<Dataset>> open_raw_samples(const std::filesystem::path& path, const RawFormat& format);

}  // namespace millwright::recording
