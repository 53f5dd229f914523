// SPDX-License-Identifier: Apache-2.0
// What a person knows of each sample: its class, whether it is anomalous, or the value that a model should give.
#pragma once

#include <cstddef>
#include <filesystem>
#include <vector>

#include "base/error.h"

namespace millwright::lab {

// One number a line, in the order of the samples; an empty last line is none. Also a .npy of one dimension or (n, 1).
// kInvalidInput names file and line; another number of labels than `samples` names both.
Result<std::vector<double>> read_labels(const std::filesystem::path& path, size_t samples);

}  // namespace millwright::lab
