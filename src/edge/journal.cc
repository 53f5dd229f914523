// SPDX-License-Identifier: Apache-2.0
#include "edge/journal.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <vector>

#include "base/files.h"
#include "model/stroke_record.h"

namespace millwright::edge {
namespace {

constexpr std::string_view kPrefix = "records-";
constexpr std::string_view kSuffix = ".jsonl";
constexpr size_t kMaxLineBytes = 64 << 10;

std::unexpected<Error> io_error(const std::filesystem::path& path, std::string_view what) {
  return fail(ErrorCode::kIo, "{}: {}: {}", path.string(), what, std::strerror(errno));
}

// Oldest first: the names are of equal length and sort like their numbers.
Result<std::vector<std::filesystem::path>> journal_files(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> files;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    const std::string file = entry.path().filename().string();
    if (file.starts_with(kPrefix) && file.ends_with(kSuffix)) files.push_back(entry.path());
  }
  if (error) return fail(ErrorCode::kIo, "{}: cannot list: {}", folder.string(), error.message());
  std::sort(files.begin(), files.end());
  return files;
}

// The last `bytes` of a file, or all of it.
Result<std::string> read_end(int fd, uint64_t size, uint64_t bytes, const std::filesystem::path& path) {
  std::string text(std::min(size, bytes), '\0');
  size_t done = 0;
  while (done < text.size()) {
    const ssize_t n =
        ::pread(fd, text.data() + done, text.size() - done, static_cast<off_t>(size - text.size() + done));
    if (n <= 0) return io_error(path, "cannot read");
    done += static_cast<size_t>(n);
  }
  return text;
}

}  // namespace

Result<Journal> Journal::open(const std::filesystem::path& folder, const JournalOptions& options) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) return fail(ErrorCode::kIo, "{}: cannot create the folder: {}", folder.string(), error.message());
  Journal journal(folder, options);
  MW_CHECK_OK(journal.read_tail());
  return journal;
}

// Goes back from the newest file to the last whole line; cuts off what is torn, removes files without a whole line.
Status Journal::read_tail() {
  std::vector<std::filesystem::path> files = MW_TRY(journal_files(folder_));
  while (!files.empty()) {
    path_ = files.back();
    file_ = Descriptor(::open(path_.c_str(), O_RDWR | O_CLOEXEC));
    if (!file_.valid()) return io_error(path_, "cannot open");
    struct stat info{};
    if (::fstat(file_.get(), &info) != 0) return io_error(path_, "cannot stat");
    const auto size = static_cast<uint64_t>(info.st_size);
    const std::string end = MW_TRY(read_end(file_.get(), size, 2 * kMaxLineBytes, path_));
    const size_t last = end.rfind('\n');
    const size_t torn = last == std::string::npos ? end.size() : end.size() - last - 1;
    size_ = size - torn;
    tail_.torn_bytes += torn;
    if (torn > 0 && ::ftruncate(file_.get(), static_cast<off_t>(size_)) != 0) return io_error(path_, "cannot truncate");
    if (last != std::string::npos) {
      const size_t before = last == 0 ? std::string::npos : end.rfind('\n', last - 1);
      const size_t begin = before == std::string::npos ? 0 : before + 1;
      const auto record = MW_TRY_IN(path_.string(), model::parse_json_line(end.substr(begin, last - begin)));
      tail_.stroke_id = record.stroke_id;
      tail_.plc_cycle = record.plc_cycle;
      return {};
    }
    if (size_ != 0) return fail(ErrorCode::kCorrupt, "{}: no line of records at its end", path_.string());
    file_.reset();
    std::error_code error;
    std::filesystem::remove(path_, error);
    files.pop_back();
  }
  return {};
}

Status Journal::append(std::string_view lines, uint64_t first_id) {
  // A part of a failed batch must not stand there when the whole batch comes again.
  if (tail_broken_) {
    if (::ftruncate(file_.get(), static_cast<off_t>(size_)) != 0) return io_error(path_, "cannot truncate");
    tail_broken_ = false;
  }
  if (!file_.valid() || distrusted_ || size_ + lines.size() > options_.max_file_bytes) {
    MW_CHECK_OK(start_file(first_id));
  }
  tail_broken_ = true;
  MW_CHECK_OK(write_whole(lines));
  if (::fdatasync(file_.get()) != 0) {
    distrusted_ = true;  // nobody knows what the disk holds after a failed sync
    return io_error(path_, "cannot sync");
  }
  tail_broken_ = false;
  size_ += lines.size();
  return {};
}

Status Journal::write_whole(std::string_view lines) {
  uint64_t offset = size_;
  while (!lines.empty()) {
    const ssize_t n = ::pwrite(file_.get(), lines.data(), lines.size(), static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return io_error(path_, "cannot write");
    lines.remove_prefix(static_cast<size_t>(n));
    offset += static_cast<uint64_t>(n);
  }
  return {};
}

Status Journal::start_file(uint64_t first_id) {
  path_ = folder_ / fmt::format("{}{:020}{}", kPrefix, first_id, kSuffix);
  file_ = Descriptor(::open(path_.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  size_ = 0;
  distrusted_ = false;
  if (!file_.valid()) return io_error(path_, "cannot create");
  MW_CHECK_OK(sync_folder(folder_));
  remove_oldest();
  return {};
}

void Journal::remove_oldest() {
  const auto files = journal_files(folder_);
  if (!files) return;  // the next file tries again
  for (size_t i = 0; i + options_.max_files < files->size(); ++i) {
    std::error_code error;
    if (std::filesystem::remove((*files)[i], error)) ++files_removed_;
  }
}

}  // namespace millwright::edge
