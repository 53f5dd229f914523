// SPDX-License-Identifier: Apache-2.0
// Reads a gzip-compressed text file line by line.
#pragma once

#include <filesystem>
#include <functional>
#include <string_view>

#include "base/error.h"

namespace millwright::results {

// Calls `line` for each line, without its newline, until it fails. kNotFound, kCorrupt, kTooLarge (a line beyond 4
// MiB).
Status for_each_line(const std::filesystem::path& path, const std::function<Status(std::string_view)>& line);

}  // namespace millwright::results
