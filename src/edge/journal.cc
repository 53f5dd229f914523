// SPDX-License-Identifier: Apache-2.0
#include "edge/journal.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>

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

Result<std::string> read_part(int fd, uint64_t from, uint64_t bytes, const std::filesystem::path& path) {
  std::string text(bytes, '\0');
  size_t done = 0;
  while (done < text.size()) {
    const ssize_t n = ::pread(fd, text.data() + done, text.size() - done, static_cast<off_t>(from + done));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return io_error(path, "cannot read");
    done += static_cast<size_t>(n);
  }
  return text;
}

// Where the line that ends before `end` begins: behind the last newline there, or 0. A batch that a power cut tore may
// be far longer than a line, so it looks as far back as it must.
Result<uint64_t> line_begin(int fd, uint64_t end, const std::filesystem::path& path) {
  while (end > 0) {
    const uint64_t bytes = std::min<uint64_t>(end, kMaxLineBytes);
    const std::string text = MW_TRY(read_part(fd, end - bytes, bytes, path));
    const size_t newline = text.rfind('\n');
    if (newline != std::string::npos) return end - bytes + newline + 1;
    end -= bytes;
  }
  return uint64_t{0};
}

}  // namespace

// Oldest first: the names are of equal length and sort like their numbers.
Result<std::vector<std::filesystem::path>> journal_files(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> files;
  std::error_code error;
  // A range-for would throw where reading on fails.
  std::filesystem::directory_iterator entry(folder, error);
  for (; !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
    const std::string file = entry->path().filename().string();
    if (file.starts_with(kPrefix) && file.ends_with(kSuffix)) files.push_back(entry->path());
  }
  if (error) return fail(ErrorCode::kIo, "{}: cannot list: {}", folder.string(), error.message());
  std::sort(files.begin(), files.end());
  return files;
}

uint64_t first_stroke(const std::filesystem::path& file) {
  const std::string name = file.filename().string();
  if (!name.starts_with(kPrefix)) return 0;
  uint64_t id = 0;
  (void)std::from_chars(name.data() + kPrefix.size(), name.data() + name.size(), id);
  return id;
}

Journal::Journal(Journal&& other) noexcept
    : folder_(std::move(other.folder_)),
      options_(other.options_),
      tail_(other.tail_),
      file_(std::move(other.file_)),
      path_(std::move(other.path_)),
      size_(other.size_),
      tail_broken_(other.tail_broken_),
      distrusted_(other.distrusted_),
      files_removed_(other.files_removed()),
      files_replaced_(other.files_replaced()) {}

Result<Journal> Journal::open(const std::filesystem::path& folder, const JournalOptions& options) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) return fail(ErrorCode::kIo, "{}: cannot create the folder: {}", folder.string(), error.message());
  Journal journal(folder, options);
  MW_CHECK_OK(journal.read_tail());
  return journal;
}

// Goes back from the newest file to the last whole line. Nothing is cut off or removed before that line has been read,
// so that a file which a person has to look at is as the crash left it.
Status Journal::read_tail() {
  std::vector<std::filesystem::path> files = MW_TRY(journal_files(folder_));
  std::vector<std::filesystem::path> lineless;
  while (!files.empty() && tail_.stroke_id == 0) {
    path_ = files.back();
    files.pop_back();
    file_ = Descriptor(::open(path_.c_str(), O_RDWR | O_CLOEXEC));
    if (!file_.valid()) return io_error(path_, "cannot open");
    struct stat info{};
    if (::fstat(file_.get(), &info) != 0) return io_error(path_, "cannot stat");
    const auto bytes = static_cast<uint64_t>(info.st_size);
    size_ = MW_TRY(line_begin(file_.get(), bytes, path_));
    tail_.torn_bytes += bytes - size_;
    if (size_ == 0) {
      file_.reset();
      lineless.push_back(path_);
      continue;
    }
    MW_CHECK_OK(read_last_line(size_));
    if (bytes > size_ && ::ftruncate(file_.get(), static_cast<off_t>(size_)) != 0) {
      return io_error(path_, "cannot truncate");
    }
    // Lines that a killed process wrote count from here on: ledger and outbox build on them.
    if (::fdatasync(file_.get()) != 0) return io_error(path_, "cannot sync");
    // A cut gives the blocks behind it back. No room for them now is no reason not to start.
    (void)reserve();
    break;
  }
  for (const auto& path : lineless) {
    std::error_code error;
    std::filesystem::remove(path, error);
    if (error) return fail(ErrorCode::kIo, "{}: cannot remove: {}", path.string(), error.message());
  }
  return {};
}

Status Journal::read_last_line(uint64_t end) {
  constexpr std::string_view kAdvice = "look at the line and cut it off, or move the file out of the folder";
  const uint64_t begin = MW_TRY(line_begin(file_.get(), end - 1, path_));
  if (end - begin > kMaxLineBytes) {
    return fail(ErrorCode::kCorrupt, "{}: the last line has {} bytes, a stroke record at most {}; {}", path_.string(),
                end - begin, kMaxLineBytes, kAdvice);
  }
  const std::string line = MW_TRY(read_part(file_.get(), begin, end - 1 - begin, path_));
  const auto record = model::parse_json_line(line);
  if (!record) {
    return fail(ErrorCode::kCorrupt, "{}: the last line is no stroke record ({}); {}", path_.string(),
                record.error().message, kAdvice);
  }
  tail_.stroke_id = record->stroke_id;
  tail_.plc_cycle = record->plc_cycle;
  return {};
}

Status Journal::append(std::string_view lines, uint64_t first_id) {
  // A part of a failed batch must not stand there when the whole batch comes again.
  if (tail_broken_) {
    if (::ftruncate(file_.get(), static_cast<off_t>(size_)) != 0) return io_error(path_, "cannot truncate");
    tail_broken_ = false;
    (void)reserve();  // a cut gives the blocks back
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
  while (!file_.valid()) {
    if (errno != ENOSPC || !give_up_oldest()) return io_error(path_, "cannot create");
    file_ = Descriptor(::open(path_.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  }
  Status reserved = reserve();
  while (!reserved && give_up_oldest()) reserved = reserve();
  if (reserved) reserved = sync_folder(folder_);
  if (!reserved) {
    // Without blocks of its own it would only be in the way; the next batch tries again.
    file_.reset();
    ::unlink(path_.c_str());
    return reserved;
  }
  remove_oldest();
  return {};
}

// The blocks for the whole file, its length unchanged. Not every file system can; there it grows as it goes.
Status Journal::reserve() {
  int failed = 0;
  do {
    failed =
        ::fallocate(file_.get(), FALLOC_FL_KEEP_SIZE, 0, static_cast<off_t>(options_.max_file_bytes)) == 0 ? 0 : errno;
  } while (failed == EINTR);
  if (failed == 0 || failed == EOPNOTSUPP || failed == ENOSYS) return {};
  return fail(ErrorCode::kIo, "{}: no room for its {} bytes: {}", path_.string(), options_.max_file_bytes,
              std::strerror(failed));
}

// False: there is none but the present one.
bool Journal::give_up_oldest() {
  const auto files = journal_files(folder_);
  if (!files) return false;
  for (const auto& file : *files) {
    if (file == path_) continue;
    std::error_code error;
    if (!std::filesystem::remove(file, error)) return false;
    ++files_replaced_;
    return true;
  }
  return false;
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
