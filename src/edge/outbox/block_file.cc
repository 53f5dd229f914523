// SPDX-License-Identifier: Apache-2.0
#include "edge/outbox/block_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <vector>

#include "base/descriptor.h"
#include "base/files.h"

namespace millwright::edge::outbox {
namespace {

constexpr uint64_t kZeroChunk = 1 << 20;

class RealFile final : public BlockFile {
 public:
  explicit RealFile(std::filesystem::path path) : path_(std::move(path)) {}

  Status open() {
    file_ = Descriptor(::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0640));
    if (!file_.valid()) return error("cannot open");
    struct stat info{};
    if (::fstat(file_.get(), &info) != 0) return error("cannot stat");
    if (!S_ISREG(info.st_mode)) return fail(ErrorCode::kInvalidInput, "{}: must be a regular file", path_.string());
    size_ = static_cast<uint64_t>(info.st_size);
    MW_CHECK_OK(sync());
    // Only advice: where it is not taken, the cache is what we have.
    (void)::posix_fadvise(file_.get(), 0, 0, POSIX_FADV_DONTNEED);
    return {};
  }

  [[nodiscard]] uint64_t size() const override { return size_; }

  Status read(uint64_t offset, std::span<std::byte> bytes) override {
    while (!bytes.empty()) {
      const ssize_t n = ::pread(file_.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset));
      if (n < 0 && errno == EINTR) continue;
      if (n == 0) return fail(ErrorCode::kCorrupt, "{}: is shorter than it must be", path_.string());
      if (n < 0) return error("cannot read");
      bytes = bytes.subspan(static_cast<size_t>(n));
      offset += static_cast<uint64_t>(n);
    }
    return {};
  }

  Status write(uint64_t offset, std::span<const std::byte> bytes) override {
    while (!bytes.empty()) {
      const ssize_t n = ::pwrite(file_.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset));
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) return error("cannot write");
      bytes = bytes.subspan(static_cast<size_t>(n));
      offset += static_cast<uint64_t>(n);
    }
    return {};
  }

  Status sync() override {
    if (::fdatasync(file_.get()) != 0) return error("cannot sync");
    return {};
  }

  // Zeros and not only fallocate(): an extent that was never written is converted at its first write, which makes
  // every fdatasync a journal commit too.
  Status allocate(uint64_t bytes) override {
    const Status filled = fill(bytes);
    if (!filled) {
      // A half-made file takes the space that others need.
      (void)::ftruncate(file_.get(), 0);
      size_ = 0;
    }
    return filled;
  }

  Status set_aside() override {
    const std::string aside = path_.string() + ".unreadable";
    if (::rename(path_.c_str(), aside.c_str()) != 0) return error("cannot rename");
    return open();
  }

 private:
  Status fill(uint64_t bytes) {
    if (::ftruncate(file_.get(), 0) != 0) return error("cannot truncate");
    if (const int failed = ::posix_fallocate(file_.get(), 0, static_cast<off_t>(bytes)); failed != 0) {
      return fail(ErrorCode::kIo, "{}: no room for its {} bytes: {}", path_.string(), bytes, std::strerror(failed));
    }
    const std::vector<std::byte> zeros(std::min(bytes, kZeroChunk));
    for (uint64_t at = 0; at < bytes; at += zeros.size()) {
      MW_CHECK_OK(write(at, std::span(zeros).first(std::min<uint64_t>(zeros.size(), bytes - at))));
    }
    if (::fsync(file_.get()) != 0) return error("cannot sync");
    size_ = bytes;
    return sync_folder(path_.parent_path());
  }

  [[nodiscard]] std::unexpected<Error> error(std::string_view what) const {
    return fail(ErrorCode::kIo, "{}: {}: {}", path_.string(), what, std::strerror(errno));
  }

  std::filesystem::path path_;
  Descriptor file_;
  uint64_t size_ = 0;
};

}  // namespace

OpenBlockFile block_file_at(const std::filesystem::path& path) {
  return [path]() -> Result<std::unique_ptr<BlockFile>> {
    std::error_code error;
    std::filesystem::create_directories(path.parent_path(), error);
    if (error) return fail(ErrorCode::kIo, "{}: cannot create the folder: {}", path.string(), error.message());
    auto file = std::make_unique<RealFile>(path);
    MW_CHECK_OK(file->open());
    return file;
  };
}

std::string_view copy_on_write(const std::filesystem::path& folder) {
  // linux/magic.h lacks some of them.
  constexpr std::pair<uint32_t, std::string_view> kKnown[] = {{0x9123683EU, "btrfs"},
                                                              {0x2FC12FC1U, "zfs"},
                                                              {0xF2F52010U, "f2fs"},
                                                              {0xCA451A4EU, "bcachefs"},
                                                              {0x794C7630U, "overlay"}};
  struct statfs info{};
  if (::statfs(folder.c_str(), &info) != 0) return {};
  for (const auto& [magic, name] : kKnown) {
    if (static_cast<uint32_t>(info.f_type) == magic) return name;
  }
  return {};
}

}  // namespace millwright::edge::outbox
