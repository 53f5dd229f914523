// SPDX-License-Identifier: Apache-2.0
// The output as a small mapped file that another program reads: verdict, stop bit, heartbeat. FORMAT.md has the layout.
#pragma once

#include <filesystem>
#include <memory>

#include "base/error.h"
#include "edge/mapped_file.h"
#include "edge/output.h"

namespace millwright::edge {

inline constexpr size_t kOutputFileBytes = 256;

class FileOutput final : public Output {
 public:
  static Result<std::unique_ptr<FileOutput>> create(const std::filesystem::path& path, FailSafe on_death);

  void drive(const OutputState& state) noexcept override;
  void stands(bool stop, bool alarm) noexcept override;
  void heartbeat(uint64_t beat) noexcept override;

 private:
  FileOutput(MappedFile file, FailSafe on_death) : file_(std::move(file)), on_death_(on_death) {}
  void store() noexcept;

  MappedFile file_;
  FailSafe on_death_;
  OutputState state_;
  uint64_t beat_ = 0;
  uint64_t change_ = 0;
};

}  // namespace millwright::edge
