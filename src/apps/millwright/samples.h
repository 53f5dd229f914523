// SPDX-License-Identifier: Apache-2.0
// What commands that change models have in common: models, samples and labels from files, progress, a comparison told.
#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <CLI/App.hpp>
#include <nlohmann/json_fwd.hpp>

#include "base/error.h"
#include "base/files.h"
#include "lab/compare.h"
#include "recording/dataset.h"

namespace millwright::apps {

// A line on a terminal that is written over; nothing where nobody looks.
std::function<void(size_t done, size_t all)> progress(const char* what);

// Checked, not run.
Result<Bytes> read_model(const std::filesystem::path& path);

// How samples are to be read, where they do not say so themselves.
struct SampleFormat {
  std::string preprocess;  // of pictures (recording/image.h)
  std::string shape;       // of one raw sample, as "3x32x32"; empty: the samples are not raw
  std::string type = "float32";

  // --preprocess, --shape and --dtype.
  void add_to(CLI::App& app);
};
inline constexpr const char* kSamplesHelp =
    ".npy, n first; a folder of pictures; or raw numbers, a file or a folder of .raw and .bin, with --shape";

// An array, a folder of pictures, or raw numbers.
Result<std::unique_ptr<recording::Dataset>> open_samples(const std::filesystem::path& path, const SampleFormat& format);

// Out of a file, or from the samples themselves.
Result<std::vector<double>> labels_of(const std::filesystem::path& path, const recording::Dataset& samples);

nlohmann::json comparison_json(const lab::Comparison& comparison);

}  // namespace millwright::apps
