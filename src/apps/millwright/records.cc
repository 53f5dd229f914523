// SPDX-License-Identifier: Apache-2.0
#include "apps/millwright/records.h"

#include <algorithm>

#include "base/files.h"

namespace millwright::apps {
namespace {

constexpr uint64_t kMaxJournalFileBytes = 1ULL << 30;

Status read_lines(const std::filesystem::path& file, std::vector<model::StrokeRecord>& records) {
  const std::string text = MW_TRY(read_text_file(file, kMaxJournalFileBytes));
  size_t line_number = 0;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    ++line_number;
    records.push_back(MW_TRY_IN(fmt::format("{}:{}", file.string(), line_number),
                                model::parse_json_line(std::string_view(text).substr(begin, end - begin))));
    begin = end + 1;
  }
  return {};
}

}  // namespace

Result<std::vector<model::StrokeRecord>> read_records(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> files;
  std::error_code error;
  for (std::filesystem::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    if (entry->path().extension() == ".jsonl") files.push_back(entry->path());
  }
  if (error) return fail(ErrorCode::kNotFound, "{}: cannot list records: {}", folder.string(), error.message());
  std::sort(files.begin(), files.end());
  std::vector<model::StrokeRecord> records;
  for (const auto& file : files) MW_CHECK_OK(read_lines(file, records));
  return records;
}

Status check_contiguous(const std::vector<model::StrokeRecord>& records) {
  for (size_t i = 1; i < records.size(); ++i) {
    const uint64_t expected = records[i - 1].stroke_id + 1;
    if (records[i].stroke_id == expected) continue;
    return fail(ErrorCode::kCorrupt, "stroke {} follows stroke {}: a record is missing or doubled",
                records[i].stroke_id, records[i - 1].stroke_id);
  }
  return {};
}

}  // namespace millwright::apps
