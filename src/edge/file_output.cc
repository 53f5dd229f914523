// SPDX-License-Identifier: Apache-2.0
#include "edge/file_output.h"

#include <array>
#include <atomic>
#include <cstring>

#include <fmt/format.h>

namespace millwright::edge {

Result<std::unique_ptr<FileOutput>> FileOutput::create(const std::filesystem::path& path, FailSafe on_death) {
  MappedFile file = MW_TRY_IN("output", MappedFile::open(path, kOutputFileBytes));
  return std::unique_ptr<FileOutput>(new FileOutput(std::move(file), on_death));
}

void FileOutput::drive(const OutputState& state) noexcept {
  state_ = state;
  store();
}

void FileOutput::stands(bool stop, bool alarm) noexcept {
  state_.stop = stop;
  state_.alarm = alarm;
  store();
}

void FileOutput::heartbeat(uint64_t beat) noexcept {
  beat_ = beat;
  store();
}

// One line whose fields never move. A reader copies it from front to back, so it is written from back to front:
// `unchanged` before anything else, `change` after everything else. Whoever reads a `change` has the whole line of that
// change behind it, or a later `unchanged` at its end, which tells.
void FileOutput::store() noexcept {
  ++change_;
  std::array<char, kOutputFileBytes> line{};
  line.fill(' ');
  std::array<char, 16> verdict{};
  const auto quoted = fmt::format_to_n(verdict.data(), verdict.size(), "\"{}\"", model::name(state_.verdict));
  const auto head = fmt::format_to_n(line.data(), line.size(), R"({{"change":{:>20},)", change_).size;
  const auto body =
      fmt::format_to_n(line.data() + head, line.size() - head,
                       R"("heartbeat":{:>20},"stroke_id":{:>20},"verdict":{:<12},"stop":{:<5},)", beat_,
                       state_.stroke_id, std::string_view(verdict.data(), quoted.size), state_.stop ? "true" : "false")
          .size;
  const size_t tail = head + body;
  fmt::format_to_n(line.data() + tail, line.size() - tail, R"("on_death":"{}","unchanged":{:>20}}})", name(on_death_),
                   change_);
  line.back() = '\n';
  const auto copy = [&](size_t from, size_t to) {
    std::memcpy(file_.data() + from, line.data() + from, to - from);
    std::atomic_thread_fence(std::memory_order_release);
  };
  copy(tail, line.size());
  copy(head, tail);
  copy(0, head);
}

}  // namespace millwright::edge
