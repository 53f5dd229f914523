// SPDX-License-Identifier: Apache-2.0
#include "edge/updater/model_store.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "base/descriptor.h"
#include "base/files.h"

namespace millwright::edge {
namespace {

constexpr size_t kChunkBytes = 1 << 18;
constexpr std::string_view kBundle = ".bundle";
constexpr std::string_view kPart = ".part";

std::unexpected<Error> io_error(const std::filesystem::path& path, std::string_view what) {
  const int cause = errno;
  return fail(cause == ENOSPC || cause == EDQUOT ? ErrorCode::kTooLarge : ErrorCode::kIo, "{}: cannot {}: {}",
              path.string(), what, std::strerror(cause));
}

uint64_t size_of(const std::filesystem::path& path) {
  std::error_code error;
  const uint64_t bytes = std::filesystem::file_size(path, error);
  return error ? 0 : bytes;
}

// Reads `file` to its end, or to one byte more than is wanted, and hands on each piece.
template <typename Each>
Result<uint64_t> read_all(int file, const std::filesystem::path& path, uint64_t wanted, Each each) {
  std::vector<std::byte> chunk(kChunkBytes);
  uint64_t all = 0;
  while (all <= wanted) {
    const ssize_t n = ::read(file, chunk.data(), chunk.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return io_error(path, "read");
    if (n == 0) break;
    all += static_cast<uint64_t>(n);
    MW_CHECK_OK(each(std::span(chunk).first(static_cast<size_t>(n))));
  }
  return all;
}

Status write_all(int file, const std::filesystem::path& path, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(file, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return io_error(path, "write");
    bytes = bytes.subspan(static_cast<size_t>(n));
  }
  return {};
}

}  // namespace

ModelStore::ModelStore(std::filesystem::path folder, FreeBytes free_bytes)
    : folder_(std::move(folder)), free_bytes_(std::move(free_bytes)) {}

std::filesystem::path ModelStore::bundle(const Digest& digest) const {
  return folder_ / (digest.hex() + std::string(kBundle));
}

std::filesystem::path ModelStore::part(const Digest& digest) const {
  return folder_ / (digest.hex() + std::string(kPart));
}

bool ModelStore::has(const Digest& digest) const {
  std::error_code ignored;
  return std::filesystem::is_regular_file(bundle(digest), ignored);
}

Result<uint64_t> ModelStore::disk_free_bytes(const std::filesystem::path& folder) {
  struct statvfs disk{};
  if (::statvfs(folder.c_str(), &disk) != 0) return io_error(folder, "ask for free space");
  return static_cast<uint64_t>(disk.f_bavail) * disk.f_frsize;
}

Status ModelStore::prepare(const Digest& digest, uint64_t bytes) const {
  if (bytes > kMostBundleBytes) {
    return fail(ErrorCode::kTooLarge, "a bundle of {} bytes; at most {} are taken", bytes, kMostBundleBytes);
  }
  std::error_code error;
  std::filesystem::create_directories(folder_, error);
  if (error) return fail(ErrorCode::kIo, "{}: cannot create: {}", folder_.string(), error.message());
  const uint64_t here = std::min(bytes, size_of(part(digest)));
  const uint64_t wanted = bytes - here + kFreeAfterUpdateBytes;
  const uint64_t free = MW_TRY(free_bytes_(folder_));
  if (free < wanted) {
    return fail(
        ErrorCode::kTooLarge,
        "{}: {} MiB are free; the update takes {} MiB and {} MiB must stay free for records: make room for {} MiB",
        folder_.string(), free >> 20, (bytes - here) >> 20, kFreeAfterUpdateBytes >> 20, ((wanted - free) >> 20) + 1);
  }
  return {};
}

Status ModelStore::accept(const Digest& digest, uint64_t bytes) const {
  const auto path = part(digest);
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!file.valid()) return io_error(path, "open");
  Sha256 sum;
  const uint64_t read = MW_TRY(read_all(file.get(), path, bytes, [&](std::span<const std::byte> piece) -> Status {
    sum.update(piece);
    return {};
  }));
  if (read != bytes || sum.finish() != digest) {
    std::error_code ignored;
    std::filesystem::remove(path, ignored);
    return fail(ErrorCode::kCorrupt, "what came for {} is not what was signed: {} bytes of {}, or other ones",
                digest.hex(), read, bytes);
  }
  // The name must not be durable before the bytes are.
  if (::fsync(file.get()) != 0) return io_error(path, "sync");
  if (::rename(path.c_str(), bundle(digest).c_str()) != 0) return io_error(path, "rename");
  return sync_folder(folder_);
}

Status ModelStore::take_in(const std::filesystem::path& file, const Digest& digest, uint64_t bytes) const {
  MW_CHECK_OK(prepare(digest, bytes));
  const Descriptor in(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  if (!in.valid()) return io_error(file, "open");
  const auto path = part(digest);
  const Descriptor out(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0640));
  if (!out.valid()) return io_error(path, "create");
  MW_CHECK_OK(read_all(in.get(), file, bytes,
                       [&](std::span<const std::byte> piece) { return write_all(out.get(), path, piece); }));
  return accept(digest, bytes);
}

size_t ModelStore::keep_only(std::span<const Digest> digests) const {
  std::vector<std::filesystem::path> gone;
  std::error_code error;
  for (std::filesystem::directory_iterator it(folder_, error), end; !error && it != end; it.increment(error)) {
    const std::string ending = it->path().extension().string();
    if (ending != kBundle && ending != kPart) continue;
    const auto named = Digest::from_hex(it->path().stem().string());
    if (named && std::ranges::find(digests, *named) == digests.end()) gone.push_back(it->path());
  }
  size_t count = 0;
  for (const auto& path : gone) count += std::filesystem::remove(path, error) ? 1 : 0;
  return count;
}

}  // namespace millwright::edge
