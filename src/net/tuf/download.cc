// SPDX-License-Identifier: Apache-2.0
#include "net/tuf/download.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "base/descriptor.h"
#include "base/files.h"
#include "net/tuf/names.h"

namespace millwright::net::tuf {
namespace {

std::unexpected<Error> fail_errno(const std::filesystem::path& path, std::string_view what) {
  return fail(ErrorCode::kIo, "{}: {}: {}", path.string(), what, std::strerror(errno));
}

// Whether the file is there with these bytes. Any trouble with it is a no: then it is fetched.
bool is_there(const std::filesystem::path& path, const TargetFile& wanted) {
  Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW));
  struct stat info{};
  if (!file.valid() || ::fstat(file.get(), &info) != 0 || !S_ISREG(info.st_mode)) return false;
  if (static_cast<uint64_t>(info.st_size) != wanted.length) return false;
  Hasher hasher;
  std::array<std::byte, 65'536> piece;
  while (true) {
    const ssize_t n = ::read(file.get(), piece.data(), piece.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return false;
    if (n == 0) break;
    hasher.update(std::span(piece).first(static_cast<size_t>(n)));
  }
  return agree(wanted.hashes, hasher.finish());
}

// A file under a name of its own until it is kept; gone if it never is.
class TemporaryFile {
 public:
  static Result<TemporaryFile> beside(const std::filesystem::path& path) {
    std::string name = (path.parent_path() / ".part-XXXXXX").string();
    Descriptor opened(::mkostemp(name.data(), O_CLOEXEC));
    if (!opened.valid()) return fail_errno(path, "cannot create a temporary file beside it");
    return TemporaryFile(std::move(opened), std::move(name));
  }
  TemporaryFile(TemporaryFile&& other) noexcept
      : file_(std::move(other.file_)), name_(std::exchange(other.name_, std::string())) {}
  TemporaryFile& operator=(TemporaryFile&&) = delete;
  ~TemporaryFile() {
    if (!name_.empty()) ::unlink(name_.c_str());
  }

  Status write(std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
      const ssize_t n = ::write(file_.get(), bytes.data(), bytes.size());
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return fail_errno(name_, "cannot write");
      bytes = bytes.subspan(static_cast<size_t>(n));
    }
    return {};
  }
  Status keep_as(const std::filesystem::path& path) {
    if (::fchmod(file_.get(), 0644) != 0 || ::fsync(file_.get()) != 0) return fail_errno(name_, "cannot sync");
    if (::rename(name_.c_str(), path.c_str()) != 0) return fail_errno(path, "cannot put it in place");
    name_.clear();
    return sync_folder(path.parent_path());
  }

 private:
  TemporaryFile(Descriptor file, std::string name) : file_(std::move(file)), name_(std::move(name)) {}
  Descriptor file_;
  std::string name_;
};

std::unexpected<Error> endless(const TrustedTarget& target) {
  return fail(
      ErrorCode::kRefused,
      "endless data: the server sends more than the {} bytes that were signed for target {}; reading stopped there",
      target.file.length, shown(target.name));
}

}  // namespace

Result<Download> download(const TrustedTarget& target, Fetcher& fetcher, const std::filesystem::path& folder) {
  const std::filesystem::path path = folder / file_name_for(target.name);
  if (is_there(path, target.file)) return Download{.path = path, .was_there = true};
  TemporaryFile file = MW_TRY(TemporaryFile::beside(path));
  Hasher hasher;
  uint64_t count = 0;
  const Status fetched =
      fetcher.target(target.remote_path, target.file.length, [&](std::span<const std::byte> bytes) -> Status {
        count += bytes.size();
        if (count > target.file.length) return endless(target);
        hasher.update(bytes);
        return file.write(bytes);
      });
  if (!fetched && fetched.error().code == ErrorCode::kTooLarge) return endless(target);
  if (!fetched) return std::unexpected(fetched.error());
  if (count != target.file.length || !agree(target.file.hashes, hasher.finish())) {
    return fail(ErrorCode::kRefused,
                "wrong software: the server's {} bytes for target {} are not the {} that were signed for; it was "
                "changed on the "
                "way or on the server. They are thrown away",
                count, shown(target.name), target.file.length);
  }
  MW_CHECK_OK(file.keep_as(path));
  return Download{.path = path};
}

}  // namespace millwright::net::tuf
