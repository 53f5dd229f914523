// SPDX-License-Identifier: Apache-2.0
// Reads the stroke records that an agent wrote, and checks the first line of the contract on them.
#pragma once

#include <filesystem>
#include <vector>

#include "base/error.h"
#include "model/stroke_record.h"

namespace millwright::apps {

// All records of a folder of .jsonl files, in file-name order. kCorrupt where a line is no record.
Result<std::vector<model::StrokeRecord>> read_records(const std::filesystem::path& folder);

// Ids must rise by one from the first to the last: no gap, no duplicate.
Status check_contiguous(const std::vector<model::StrokeRecord>& records);

}  // namespace millwright::apps
