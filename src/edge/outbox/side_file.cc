// SPDX-License-Identifier: Apache-2.0
#include "edge/outbox/side_file.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>

#include "base/descriptor.h"

namespace millwright::edge::outbox {

Status SideFile::append(std::string_view bytes) const {
  if (path_.empty()) return {};
  const auto error = [this](std::string_view what) {
    return fail(ErrorCode::kIo, "{}: {}: {}", path_.string(), what, std::strerror(errno));
  };
  const Descriptor file(::open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640));
  if (!file.valid()) return error("cannot open");
  struct stat info{};
  if (::fstat(file.get(), &info) != 0) return error("cannot stat");
  if (static_cast<uint64_t>(info.st_size) + bytes.size() > max_bytes_) {
    return fail(ErrorCode::kTooLarge, "{}: is full ({} bytes); look at it and move it away", path_.string(),
                info.st_size);
  }
  if (::write(file.get(), bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size())) {
    const auto failed = error("cannot write");
    (void)::ftruncate(file.get(), info.st_size);
    return failed;
  }
  if (::fdatasync(file.get()) != 0) return error("cannot sync");
  return {};
}

}  // namespace millwright::edge::outbox
