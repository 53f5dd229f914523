// SPDX-License-Identifier: Apache-2.0
#include "edge/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "base/descriptor.h"

namespace millwright::edge {
namespace {

std::unexpected<Error> io_error(const std::filesystem::path& path, std::string_view what, int error) {
  return fail(ErrorCode::kIo, "{}: {}: {}", path.string(), what, std::strerror(error));
}

}  // namespace

Result<MappedFile> MappedFile::open(const std::filesystem::path& path, size_t bytes) {
  Descriptor file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
  if (!file.valid()) return io_error(path, "cannot open", errno);
  struct stat info{};
  if (::fstat(file.get(), &info) != 0) return io_error(path, "cannot stat", errno);
  MappedFile mapped;
  mapped.former_size_ = static_cast<size_t>(info.st_size);
  if (mapped.former_size_ > bytes && ::ftruncate(file.get(), static_cast<off_t>(bytes)) != 0) {
    return io_error(path, "cannot truncate", errno);
  }
  const int error = ::posix_fallocate(file.get(), 0, static_cast<off_t>(bytes));
  if (error != 0) return io_error(path, fmt::format("cannot reserve {} bytes", bytes), error);
  void* address = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, file.get(), 0);
  if (address == MAP_FAILED) return io_error(path, "cannot map", errno);
  mapped.data_ = static_cast<std::byte*>(address);
  mapped.size_ = bytes;
  return mapped;
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) ::munmap(data_, size_);
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)),
      former_size_(other.former_size_) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  std::swap(former_size_, other.former_size_);
  return *this;
}

Status MappedFile::sync(size_t bytes) const {
  if (::msync(data_, bytes, MS_SYNC) != 0) {
    return fail(ErrorCode::kIo, "cannot sync a mapped file: {}", std::strerror(errno));
  }
  return {};
}

}  // namespace millwright::edge
