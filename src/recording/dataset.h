// SPDX-License-Identifier: Apache-2.0
// Samples of one shape for a model, read one at a time: calibration and validation go through 10,000 of them in the
// memory of one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"

namespace millwright::recording {

inline constexpr uint64_t kMaxDatasetSamples = 100'000'000;
inline constexpr uint64_t kMaxSampleValues = 1 << 28;  // of one sample

class Dataset {
 public:
  virtual ~Dataset() = default;
  [[nodiscard]] virtual size_t size() const = 0;
  [[nodiscard]] virtual const std::vector<int64_t>& shape() const = 0;  // of one sample, without the batch
  [[nodiscard]] size_t values() const;                                  // of one sample
  // Fills `out`, values() long, with sample `index`. kIo, kCorrupt; the message names file and sample.
  virtual Status read(size_t index, std::span<float> out) = 0;
  // Of the source's bytes, so that the same data are known again.
  virtual Result<std::string> digest() = 0;
  // The class of each sample where the source itself tells (folder per class); empty: it does not.
  [[nodiscard]] virtual std::span<const int64_t> labels() const { return {}; }
};

// A .npy array, samples along the first axis, C order; floats and integers as they are. kInvalidInput, kUnsupported,
// kCorrupt; the message names the file.
Result<std::unique_ptr<Dataset>> open_dataset(const std::filesystem::path& path);

// The samples at [begin, begin + count) of another; which must outlive it.
std::unique_ptr<Dataset> part_of(Dataset& whole, size_t begin, size_t count);

}  // namespace millwright::recording
