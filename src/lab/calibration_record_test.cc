// SPDX-License-Identifier: Apache-2.0
#include "lab/calibration_record.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <fstream>
#include <sstream>

#include "lab/calibration_table.h"
#include "lab/quantize.h"
#include "lab/quantize_fixture.h"

namespace millwright::lab {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

CalibrationRecord example() {
  return {.key = {.model_digest = "1f", .data_digest = "2e", .method = "minmax", .tool_version = "1.0.0"},
          .ranges = {{"x", {.low = -2.5F, .high = 1.25F}}, {"relu", {.low = 0.0F, .high = 6.0F}}}};
}

// The published layout of FlatBuffers, read from its rules: nothing of the writer is used.
class Decoder {
 public:
  explicit Decoder(const Bytes& bytes) : bytes_(bytes) {}

  std::vector<std::pair<std::string, std::string>> dictionary() {
    std::vector<std::pair<std::string, std::string>> out;
    const size_t root = follow(0);
    const size_t list = follow(field(root, 0));
    for (size_t i = 0; i < number<uint32_t>(list); ++i) {
      const size_t entry = follow(list + 4 + 4 * i);
      out.emplace_back(text(follow(field(entry, 0))), text(follow(field(entry, 1))));
    }
    return out;
  }

 private:
  template <typename Number>
  Number number(size_t at) {
    if (at + sizeof(Number) > bytes_.size() || at % sizeof(Number) != 0) throw std::out_of_range("offset");
    Number out{};
    std::memcpy(&out, bytes_.data() + at, sizeof out);
    return out;
  }
  size_t follow(size_t at) { return at + number<uint32_t>(at); }
  // A table begins with how far before it its layout lies; that states its own size, the table's, then the fields'.
  size_t field(size_t table, size_t index) {
    const auto layout = static_cast<size_t>(static_cast<int64_t>(table) - number<int32_t>(table));
    if (4 + 2 * index >= number<uint16_t>(layout)) throw std::out_of_range("field");
    const auto at = number<uint16_t>(layout + 4 + 2 * index);
    if (at == 0 || at + 4U > number<uint16_t>(layout + 2)) throw std::out_of_range("field");
    return table + at;
  }
  std::string text(size_t at) {
    const size_t size = number<uint32_t>(at);
    if (at + 4 + size >= bytes_.size() || bytes_[at + 4 + size] != std::byte{0}) throw std::out_of_range("text");
    std::string out(size, '\0');
    std::memcpy(out.data(), bytes_.data() + at + 4, size);
    return out;
  }
  const Bytes& bytes_;
};

std::string hexadecimal(const Bytes& bytes) {
  std::string out;
  for (const std::byte one : bytes) out += fmt::format("{:02x}", static_cast<unsigned>(one));
  return out;
}

TEST(CalibrationRecord, ReadsWhatItWrites) {
  const auto record = example();
  const auto again = read_calibration_record(to_json(record));
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(again->key, record.key);
  ASSERT_EQ(again->ranges.size(), 2U);
  EXPECT_EQ(again->ranges.at("x").low, -2.5F);
  EXPECT_EQ(again->ranges.at("relu").high, 6.0F);
}

TEST(CalibrationRecord, EachPartOfTheKeyIsNamedWhereItDiffers) {
  const CalibrationKey key = example().key;
  EXPECT_TRUE(differences(key, key).empty());
  CalibrationKey other = key;
  other.model_digest = "0";
  EXPECT_THAT(differences(key, other), ElementsAre("model"));
  other = key;
  other.data_digest = "0";
  EXPECT_THAT(differences(key, other), ElementsAre("samples or their preprocessing"));
  other = key;
  other.method = "mse";
  other.percentile = 99.0;
  EXPECT_THAT(differences(key, other), ElementsAre("method", "percentile"));
  other = key;
  other.bins = 7;
  other.tool_version = "0";
  other.is_equalized = true;
  EXPECT_THAT(differences(key, other), ElementsAre("bins", "tool version", "--equalize"));
}

TEST(CalibrationRecord, RefusesWhatIsNone) {
  const std::string good = to_json(example());
  const auto changed = [&](const std::string& from, const std::string& to) {
    std::string text = good;
    text.replace(text.find(from), from.size(), to);
    return text;
  };
  for (const std::string& bad :
       {std::string(), std::string("{}"), good.substr(0, good.size() / 2), changed("\"format\": 1", "\"format\": 2"),
        changed("\"bins\"", "\"bin\""), changed("-2.5", "2.5"), changed("-2.5", "null"), changed("6.0", "1e300")}) {
    const auto record = read_calibration_record(bad);
    ASSERT_FALSE(record) << bad;
    EXPECT_EQ(record.error().code, ErrorCode::kCorrupt);
    EXPECT_THAT(record.error().message, HasSubstr("calibrate anew"));
  }
}

TEST(CalibrationTable, IsReadByTheRulesOfFlatBuffers) {
  CalibrationRecord record = example();
  record.ranges["a name of every length"] = {.low = -0.1F, .high = 0.0F};
  record.ranges[""] = {.low = 0.0F, .high = 0.0F};
  record.ranges["t1"] = {.low = 0.0F, .high = 1e-7F};
  const auto table = flatbuffers_table(record);
  ASSERT_TRUE(table) << table.error().message;
  const auto read = Decoder(*table).dictionary();
  ASSERT_EQ(read.size(), record.ranges.size());
  auto expected = record.ranges.begin();
  for (const auto& [key, value] : read) {
    EXPECT_EQ(key, expected->first);
    EXPECT_EQ(std::stof(value), std::max(-expected->second.low, expected->second.high));
    ++expected;
  }
  const auto empty = flatbuffers_table({});
  ASSERT_TRUE(empty);
  EXPECT_TRUE(Decoder(*empty).dictionary().empty());
}

// What FORMAT.md shows is what is written.
TEST(CalibrationRecord, FormatHoldsToItsExample) {
  std::ifstream file(std::string(MILLWRIGHT_SOURCE_DIR) + "/src/lab/FORMAT.md");
  std::stringstream whole;
  whole << file.rdbuf();
  const std::string text = whole.str();
  EXPECT_THAT(text, HasSubstr(to_json(example())));
  EXPECT_THAT(text, HasSubstr(tensorrt_cache(example())));
  std::string rows = hexadecimal(*flatbuffers_table(example()));
  for (size_t at = 0; at < rows.size(); at += 32) EXPECT_THAT(text, HasSubstr(rows.substr(at, 32)));
}

// Quantising with the ranges of a record is quantising with the samples, and no sample is read.
TEST(CalibrationRecord, StandsInForTheSamples) {
  FakeDataset samples(16, {2, 8, 8}, 7);
  const auto measured = Int8Quantizer::create(residual_network(), samples);
  ASSERT_TRUE(measured) << measured.error().message;
  const auto record = read_calibration_record(to_json({.key = example().key, .ranges = measured->ranges()}));
  ASSERT_TRUE(record) << record.error().message;
  size_t passes = 0;
  const CalibrationOptions counting{.progress = [&](size_t, size_t) { ++passes; }};
  const auto known = Int8Quantizer::create(residual_network(), samples, counting, {.measured = &record->ranges});
  ASSERT_TRUE(known) << known.error().message;
  EXPECT_EQ(passes, 0U);
  EXPECT_EQ(known->quantize()->model, measured->quantize()->model);

  Ranges lacking = record->ranges;
  lacking.erase(lacking.begin());
  const auto refused = Int8Quantizer::create(residual_network(), samples, {}, {.measured = &lacking});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kCorrupt);
  EXPECT_THAT(refused.error().message, HasSubstr("calibrate anew"));
}

}  // namespace
}  // namespace millwright::lab
