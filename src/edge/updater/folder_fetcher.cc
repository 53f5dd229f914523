// SPDX-License-Identifier: Apache-2.0
#include "edge/updater/folder_fetcher.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <vector>

#include "base/descriptor.h"
#include "base/files.h"

namespace millwright::edge {
namespace {

constexpr size_t kChunkBytes = 1 << 18;

// The name in the folder; kNotFound where it would lead out of it.
Result<std::filesystem::path> inside(const std::filesystem::path& folder, std::string_view path) {
  std::string name;
  for (size_t i = 0; i < path.size(); ++i) {
    unsigned value = 0;
    const bool encoded =
        path[i] == '%' && i + 2 < path.size() &&
        std::from_chars(path.data() + i + 1, path.data() + i + 3, value, 16).ptr == path.data() + i + 3;
    name += encoded ? static_cast<char>(value) : path[i];
    if (encoded) i += 2;
  }
  const std::filesystem::path relative(name);
  const bool leads_out = relative.is_absolute() || name.find('\0') != std::string::npos ||
                         std::ranges::any_of(relative, [](const auto& part) { return part == ".."; });
  if (name.empty() || leads_out) return fail(ErrorCode::kNotFound, "{}: no such file in the repository", path);
  return folder / relative;
}

}  // namespace

Result<std::string> FolderFetcher::metadata(const std::string& path, uint64_t limit_bytes) {
  const auto file = MW_TRY(inside(metadata_, path));
  // A stick that was pulled out is a server that is away, not one that says that a file does not exist.
  std::error_code ignored;
  if (!std::filesystem::is_directory(metadata_, ignored)) {
    return fail(ErrorCode::kUnavailable, "{}: no such folder; is the stick in?", metadata_.string());
  }
  return read_text_file(file, limit_bytes);
}

Status FolderFetcher::target(const std::string& path, uint64_t limit_bytes, const Sink& sink) {
  const auto name = MW_TRY(inside(targets_, path));
  const Descriptor file(::open(name.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat info{};
  if (!file.valid() || ::fstat(file.get(), &info) != 0 || !S_ISREG(info.st_mode)) {
    return fail(ErrorCode::kNotFound, "{}: no such file", name.string());
  }
  std::vector<std::byte> chunk(kChunkBytes);
  for (uint64_t all = 0;;) {
    const ssize_t n = ::read(file.get(), chunk.data(), chunk.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail(ErrorCode::kUnavailable, "{}: cannot read: {}", name.string(), std::strerror(errno));
    if (n == 0) return {};
    all += static_cast<uint64_t>(n);
    if (all > limit_bytes) return fail(ErrorCode::kTooLarge, "{}: more than {} bytes", name.string(), limit_bytes);
    MW_CHECK_OK(sink(std::span(chunk).first(static_cast<size_t>(n))));
  }
}

}  // namespace millwright::edge
