// SPDX-License-Identifier: Apache-2.0
// What commands that change models have in common: models, samples and labels from files, progress, a comparison told.
#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

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

// An array, or a folder of pictures, which `preprocess` (recording/image.h) makes samples of.
Result<std::unique_ptr<recording::Dataset>> open_samples(const std::filesystem::path& path,
                                                         const std::string& preprocess);

// Out of a file, or from the samples themselves.
Result<std::vector<double>> labels_of(const std::filesystem::path& path, const recording::Dataset& samples);

nlohmann::json comparison_json(const lab::Comparison& comparison);

}  // namespace millwright::apps
