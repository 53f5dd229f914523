// SPDX-License-Identifier: Apache-2.0
#include "edge/file_output.h"

#include <array>
#include <atomic>
#include <cstring>

#include <fmt/format.h>

namespace millwright::edge {

Result<std::unique_ptr<FileOutput>> FileOutput::create(const std::filesystem::path& path, FailSafe on_death) {
  return std::unique_ptr<FileOutput>(
      new FileOutput(MW_TRY_IN("output", MappedFile::open(path, kOutputFileBytes)), on_death));
}

void FileOutput::drive(const OutputState& state) noexcept {
  state_ = state;
  store();
}

void FileOutput::heartbeat(uint64_t beat) noexcept {
  beat_ = beat;
  store();
}

// One line of constant length. A reader that finds `change` and `unchanged` different looked while it was written.
void FileOutput::store() noexcept {
  ++change_;
  std::array<char, kOutputFileBytes> line{};
  line.fill(' ');
  fmt::format_to_n(
      line.data(), line.size() - 1,
      R"({{"change":{},"heartbeat":{},"stroke_id":{},"verdict":"{}","stop":{},"on_death":"{}","unchanged":{}}})",
      change_, beat_, state_.stroke_id, model::name(state_.verdict), state_.stop, name(on_death_), change_);
  line.back() = '\n';
  std::memcpy(file_.data(), line.data(), line.size());
  std::atomic_signal_fence(std::memory_order_release);
}

}  // namespace millwright::edge
