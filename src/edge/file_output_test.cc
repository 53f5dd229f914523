// SPDX-License-Identifier: Apache-2.0
#include "edge/file_output.h"

#include <atomic>
#include <fstream>
#include <thread>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "base/files.h"
#include "edge/fake_records.h"

namespace millwright::edge {
namespace {

TEST(FileOutput, ItsFieldsNeverMove) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "output.json";
  const auto output = FileOutput::create(path, FailSafe::kStop);
  ASSERT_TRUE(output) << output.error().message;
  std::vector<size_t> first;
  const std::vector<OutputState> states = {{.stroke_id = 1, .verdict = model::Verdict::kGo, .stop = false},
                                           {.stroke_id = ~0ULL, .verdict = model::Verdict::kNoVerdict, .stop = true}};
  for (const OutputState& state : states) {
    (*output)->drive(state);
    const auto text = read_text_file(path, kOutputFileBytes);
    ASSERT_TRUE(text);
    ASSERT_EQ(text->size(), kOutputFileBytes);
    EXPECT_EQ(text->find('\n'), kOutputFileBytes - 1);
    const auto json = nlohmann::json::parse(*text);
    EXPECT_EQ(json["stroke_id"], state.stroke_id);
    EXPECT_EQ(json["verdict"], model::name(state.verdict));
    EXPECT_EQ(json["stop"], state.stop);
    EXPECT_EQ(json["on_death"], "stop");
    EXPECT_EQ(json["change"], json["unchanged"]);
    std::vector<size_t> places;
    for (const char* key : {"heartbeat", "stroke_id", "verdict", "stop", "on_death", "unchanged"}) {
      places.push_back(text->find(key));
    }
    if (first.empty()) first = places;
    EXPECT_EQ(places, first);
  }
}

// A reader from front to back that finds both ends equal has the middle that belongs to them.
TEST(FileOutput, AReaderNeverTakesHalfALineForAWholeOne) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "output.json";
  const auto output = FileOutput::create(path, FailSafe::kStop);
  ASSERT_TRUE(output);
  (*output)->drive({.stroke_id = 1, .verdict = model::Verdict::kGo, .stop = false});
  const auto mapped = MappedFile::open(path, kOutputFileBytes);
  ASSERT_TRUE(mapped);
  std::atomic<bool> done{false};
  std::thread writer([&] {
    for (uint64_t id = 2; id <= 100'000; ++id) {
      (*output)->drive({.stroke_id = id, .verdict = model::Verdict::kGo, .stop = false});
    }
    done = true;
  });
  uint64_t torn = 0;
  while (!done) {
    std::string text;
    const auto* bytes = reinterpret_cast<const volatile char*>(mapped->data());
    for (size_t i = 0; i < kOutputFileBytes; ++i) text += bytes[i];
    const auto number = [&](std::string_view key) { return std::stoull(text.substr(text.find(key) + key.size())); };
    const uint64_t change = number("\"change\":");
    if (change == number("\"unchanged\":") && number("\"stroke_id\":") != change) ++torn;
  }
  writer.join();
  EXPECT_EQ(torn, 0U);
}

}  // namespace
}  // namespace millwright::edge
