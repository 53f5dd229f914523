// SPDX-License-Identifier: Apache-2.0
#include "inference/engine_cache.h"

#include <gtest/gtest.h>

#include "base/files.h"
#include "base/temporary_folder.h"

namespace millwright::inference {
namespace {

namespace fs = std::filesystem;

class EngineCache : public ::testing::Test {
 protected:
  static EngineKey key(std::string_view model, const Rung& rung = {.provider = Provider::kTensorRt}) {
    return engine_key(sha256(model), rung);
  }
  fs::path keep_engine(const EngineKey& of) {
    const fs::path folder = open_engine_folder(root_.path(), of).value();
    EXPECT_TRUE(write_file_atomic(folder / "model.engine", std::string_view("built")).has_value());
    return folder;
  }

  TemporaryFolder root_;
};

TEST_F(EngineCache, AnEngineIsFoundAgainByItsKey) {
  const fs::path folder = keep_engine(key("a"));
  EXPECT_EQ(open_engine_folder(root_.path(), key("a")).value(), folder);
  EXPECT_TRUE(fs::exists(folder / "model.engine"));
}

TEST_F(EngineCache, AnotherModelProviderOrSettingIsAnotherFolder) {
  const fs::path folder = keep_engine(key("a"));
  EXPECT_NE(open_engine_folder(root_.path(), key("b")).value(), folder);
  EXPECT_NE(open_engine_folder(root_.path(), key("a", {.provider = Provider::kCuda})).value(), folder);
  EXPECT_NE(open_engine_folder(root_.path(), key("a", {.provider = Provider::kTensorRt, .fp16 = true})).value(),
            folder);
  EXPECT_NE(open_engine_folder(root_.path(), key("a", {.provider = Provider::kTensorRt, .device_id = 1})).value(),
            folder);
}

TEST_F(EngineCache, AFolderThatSaysItIsForSomethingElseIsEmptied) {
  const fs::path folder = keep_engine(key("a"));
  ASSERT_TRUE(write_file_atomic(folder / "key.txt", std::string_view("model of another driver\n")).has_value());
  EXPECT_EQ(open_engine_folder(root_.path(), key("a")).value(), folder);
  EXPECT_FALSE(fs::exists(folder / "model.engine"));
}

TEST_F(EngineCache, WhatAProviderFailedOnIsThrownAway) {
  const fs::path folder = keep_engine(key("a"));
  EXPECT_TRUE(drop_engines(folder));
  EXPECT_FALSE(fs::exists(folder / "model.engine"));
  EXPECT_TRUE(fs::exists(folder / "key.txt"));
  EXPECT_FALSE(drop_engines(folder));
}

TEST_F(EngineCache, OnlyTheLastUsedAreKept) {
  const fs::path first = keep_engine(key("a"));
  const fs::path other = root_.path() / "not an engine";
  fs::create_directory(other);
  for (int i = 0; i < 12; ++i) {
    const fs::path folder = keep_engine(key(std::to_string(i)));
    fs::last_write_time(folder / "key.txt", fs::file_time_type::clock::now() + std::chrono::seconds(i));
  }
  EXPECT_FALSE(fs::exists(first));
  EXPECT_TRUE(fs::exists(other));
  size_t folders = 0;
  for ([[maybe_unused]] const auto& entry : fs::directory_iterator(root_.path())) ++folders;
  EXPECT_EQ(folders, kMaxEngineFolders + 1);
}

}  // namespace
}  // namespace millwright::inference
