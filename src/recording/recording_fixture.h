// SPDX-License-Identifier: Apache-2.0
// What the tests of this room share: a folder of their own, reference files, and p(k), which reference files hold.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include "recording/recording.h"

namespace millwright::recording {

class RecordingFixture : public testing::Test {
 protected:
  RecordingFixture() {
    std::string name = (std::filesystem::temp_directory_path() / "recording.XXXXXX").string();
    EXPECT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  ~RecordingFixture() override {
    std::error_code ignored;  // a folder that cannot be removed is no test's concern
    std::filesystem::remove_all(folder_, ignored);
  }

  [[nodiscard]] const std::filesystem::path& folder() const { return folder_; }

  std::filesystem::path write(std::string_view name, std::string_view bytes) {
    const auto path = folder_ / name;
    std::ofstream(path, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    return path;
  }

  static std::filesystem::path reference(std::string_view name) {
    return std::filesystem::path(MILLWRIGHT_SOURCE_DIR) / "tests/reference/recordings" / name;
  }

  static std::string bytes_of(const std::filesystem::path& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  }

  static Recording must_read(const std::filesystem::path& path, const ReadOptions& options = {}) {
    Result<Recording> read = read_recording(path, options);
    EXPECT_TRUE(read) << (read ? "" : read.error().message);
    return read ? *std::move(read) : Recording{};
  }

  static std::string error_of(const std::filesystem::path& path, const ReadOptions& options = {}) {
    const Result<Recording> read = read_recording(path, options);
    EXPECT_FALSE(read) << path << " was read";
    return read ? "" : read.error().message;
  }

  [[nodiscard]] std::string all_error() const {
    const std::vector<std::filesystem::path> paths = {folder_};
    const auto all = read_all(paths);
    EXPECT_FALSE(all);
    return all ? "" : all.error().message;
  }

  // The samples of the reference files, times `scale`.
  static std::vector<float> p(size_t count, double scale = 1.0, int add = 0) {
    std::vector<float> values(count);
    for (size_t k = 0; k < count; ++k)
      values[k] = static_cast<float>((static_cast<int>(7 * k % 23) - 11 + add) * scale);
    return values;
  }

 private:
  std::filesystem::path folder_;
};

}  // namespace millwright::recording
