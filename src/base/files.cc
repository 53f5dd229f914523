// SPDX-License-Identifier: Apache-2.0
#include "base/files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/descriptor.h"

namespace millwright {
namespace {

std::unexpected<Error> fail_errno(const std::filesystem::path& path, std::string_view what) {
  const int error = errno;
  const ErrorCode code = error == ENOENT ? ErrorCode::kNotFound : ErrorCode::kIo;
  return fail(code, "{}: {}: {}", path.string(), what, std::strerror(error));
}

Status write_all(int fd, std::span<const std::byte> bytes, const std::filesystem::path& path) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd, bytes.data(), bytes.size());
    if (n < 0) {
      if (errno == EINTR) continue;
      return fail_errno(path, "cannot write");
    }
    bytes = bytes.subspan(static_cast<size_t>(n));
  }
  return {};
}

Status write_and_sync(int fd, std::span<const std::byte> bytes, const std::filesystem::path& path) {
  MW_CHECK_OK(write_all(fd, bytes, path));
  if (::fsync(fd) != 0) return fail_errno(path, "cannot sync");
  return {};
}

}  // namespace

Result<Bytes> read_file(const std::filesystem::path& path, uint64_t limit_bytes) {
  Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));  // a pipe must not hold us
  if (!file.valid()) return fail_errno(path, "cannot open");
  struct stat info{};
  if (::fstat(file.get(), &info) != 0) return fail_errno(path, "cannot stat");
  if (!S_ISREG(info.st_mode)) return fail(ErrorCode::kInvalidInput, "{}: not a regular file", path.string());
  const auto size = static_cast<uint64_t>(info.st_size);
  if (size > limit_bytes) {
    return fail(ErrorCode::kTooLarge, "{}: {} bytes, the limit is {}", path.string(), size, limit_bytes);
  }
  Bytes bytes(size);
  size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t n = ::read(file.get(), bytes.data() + done, bytes.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail_errno(path, "cannot read");
    if (n == 0) break;
    done += static_cast<size_t>(n);
  }
  bytes.resize(done);
  return bytes;
}

Result<std::string> read_text_file(const std::filesystem::path& path, uint64_t limit_bytes) {
  const Bytes bytes = MW_TRY(read_file(path, limit_bytes));
  return std::string(as_text(bytes));
}

Status write_file_atomic(const std::filesystem::path& path, std::span<const std::byte> bytes) {
  std::string temporary = path.string() + ".XXXXXX";
  Descriptor file(::mkostemp(temporary.data(), O_CLOEXEC));
  if (!file.valid()) return fail_errno(path, "cannot create a temporary file beside it");
  Status status = write_and_sync(file.get(), bytes, path);
  if (status && ::fchmod(file.get(), 0644) != 0) status = fail_errno(path, "cannot set its mode");
  if (status && ::rename(temporary.c_str(), path.c_str()) != 0) status = fail_errno(path, "cannot put it in place");
  if (!status) {
    ::unlink(temporary.c_str());
    return status;
  }
  return sync_folder(path.has_parent_path() ? path.parent_path() : std::filesystem::path("."));
}

Status write_file_atomic(const std::filesystem::path& path, std::string_view text) {
  return write_file_atomic(path, std::as_bytes(std::span(text)));
}

Status sync_folder(const std::filesystem::path& folder) {
  Descriptor dir(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!dir.valid()) return fail_errno(folder, "cannot open the folder");
  if (::fsync(dir.get()) != 0) return fail_errno(folder, "cannot sync the folder");
  return {};
}

}  // namespace millwright
