// SPDX-License-Identifier: Apache-2.0
#include "gzip_lines.h"

#include <zlib.h>

#include <memory>
#include <string>
#include <vector>

namespace millwright::results {
namespace {

constexpr size_t kMaxLine = 4 << 20;

struct Close {
  void operator()(gzFile_s* file) const { gzclose(file); }
};

}  // namespace

Status for_each_line(const std::filesystem::path& path, const std::function<Status(std::string_view)>& line) {
  const std::unique_ptr<gzFile_s, Close> file(gzopen(path.c_str(), "rb"));
  if (!file) return fail(ErrorCode::kNotFound, "{}: cannot be opened", path.string());
  std::string pending;
  std::vector<char> block(1 << 16);
  while (true) {
    const int got = gzread(file.get(), block.data(), static_cast<unsigned>(block.size()));
    if (got < 0) return fail(ErrorCode::kCorrupt, "{}: is damaged", path.string());
    pending.append(block.data(), static_cast<size_t>(got));
    size_t start = 0;
    for (size_t end = pending.find('\n'); end != std::string::npos; end = pending.find('\n', start)) {
      MW_CHECK_OK(line(std::string_view(pending).substr(start, end - start)));
      start = end + 1;
    }
    pending.erase(0, start);
    if (pending.size() > kMaxLine) return fail(ErrorCode::kTooLarge, "{}: a line is too long", path.string());
    if (got == 0) break;
  }
  return pending.empty() ? Status{} : line(pending);
}

}  // namespace millwright::results
