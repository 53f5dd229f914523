// SPDX-License-Identifier: Apache-2.0
// The one place that touches matio; it runs in a child process.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "base/error.h"
#include "recording/isolated.h"

namespace millwright::recording {

// Loads matio into this process, once; kUnavailable where it is not installed. Not linked, because it brings HDF5, curl
// and thirty more libraries (7 MB of resident memory) into programs that hardly ever read a .mat file.
Status load_mat_library();

// In the child: reads `variable` of `path` (empty: the only one that can be a recording) and answers.
void answer_mat(const std::filesystem::path& path, const std::string& variable, uint64_t file_bytes, Reply& reply);

}  // namespace millwright::recording
