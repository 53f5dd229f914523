// SPDX-License-Identifier: Apache-2.0
#include "edge/operator/label_log.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include <nlohmann/json.hpp>

#include "base/descriptor.h"

namespace millwright::edge {
namespace {

constexpr std::array<std::string_view, 3> kLabels = {"true", "nuisance", "unknown"};

}  // namespace

Status LabelLog::add(uint64_t stroke_id, std::string_view label) {
  if (stroke_id == 0) return fail(ErrorCode::kInvalidInput, "a label is about a stroke, from 1");
  if (std::ranges::find(kLabels, label) == kLabels.end()) {
    return fail(ErrorCode::kInvalidInput, "a label is true, nuisance or unknown");
  }
  const std::string line = nlohmann::json({{"timestamp", format_utc(clock_.wall_ns())},
                                           {"asset_id", asset_id_},
                                           {"stroke_id", stroke_id},
                                           {"label", label}})
                               .dump() +
                           "\n";
  const std::lock_guard lock(mutex_);
  const Descriptor file(::open(file_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644));
  const off_t size = file.valid() ? ::lseek(file.get(), 0, SEEK_END) : -1;
  if (size >= static_cast<off_t>(kMaxLabelBytes)) {
    return fail(ErrorCode::kTooLarge, "{}: {} bytes of labels; move the file away", file_.string(), size);
  }
  const bool whole = size >= 0 && ::write(file.get(), line.data(), line.size()) == static_cast<ssize_t>(line.size());
  if (!whole || ::fdatasync(file.get()) != 0) {
    // Half a line would spoil the next one.
    const int cause = errno;
    if (size >= 0 && ::ftruncate(file.get(), size) != 0) errno = cause;
    errno = cause;
    return fail(ErrorCode::kIo, "{}: cannot write: {}", file_.string(), std::strerror(errno));
  }
  return {};
}

}  // namespace millwright::edge
