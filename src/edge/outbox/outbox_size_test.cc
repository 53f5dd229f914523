// SPDX-License-Identifier: Apache-2.0
// Real lines: they come back as they were, and three days of them fit.
#include <gtest/gtest.h>

#include "edge/outbox/fake_block_file.h"
#include "edge/outbox/outbox.h"
#include "model/stroke_record.h"

namespace millwright::edge {
namespace {

using outbox::FakeDisk;

Message message(Stream stream, uint64_t stroke, std::string_view payload) {
  return {.stream = stream, .asset = "press-1", .stroke_id = stroke, .wall_ns = 1, .payload = payload};
}

// A real line, by its number.
std::string line(uint64_t stroke, Random& random) {
  model::StrokeRecord record;
  record.stroke_id = stroke;
  record.plc_cycle = stroke + 1000;
  record.trigger_wall_ns = 1'763'900'000'000'000'000 + static_cast<int64_t>(stroke) * 1'000'013'000;
  record.trigger_monotonic_ns = 7'469'346'112'943 + static_cast<int64_t>(stroke) * 1'000'012'345;
  record.latency_ns = 1'000'000 + static_cast<int64_t>(random.below(900'000));
  record.verdict = random.below(10) == 0 ? model::Verdict::kNoGo : model::Verdict::kGo;
  record.is_alert = record.verdict == model::Verdict::kNoGo;
  record.severity = record.is_alert ? model::Severity::kMedium : model::Severity::kLow;
  record.score = random.uniform();
  record.raw_score = 40.0 + random.normal();
  record.threshold = 50.74292597660239;
  record.provider = 1;
  record.model.bytes.fill(0xCE);
  record.top.count = 3;
  for (uint8_t i = 0; i < 3; ++i) {
    record.top.items[i].feature = static_cast<uint16_t>(random.below(8));
    record.top.items[i].share = static_cast<float>(random.uniform());
  }
  model::RecordContext context{.factory_id = "plant-4",
                               .line_id = "line-2",
                               .asset_id = "press-7",
                               .device_id = "box-0017",
                               .boot_id = "f3489bb7-22d8-424b-a2e6-9e1309aad6fe",
                               .feature_names = {"rms", "peak", "crest factor", "kurtosis", "band 200-400 Hz",
                                                 "dominant frequency", "mel 325 Hz", "spectral centroid"}};
  return model::to_json_line(record, context);
}

TEST(Outbox, LinesComeBackAsTheyWere) {
  FakeDisk disk;
  FakeClock clock;
  OutboxOptions options;
  options.open_file = disk.opener();
  for (StreamOptions& stream : options.streams) stream.bytes = 1 << 20;
  std::vector<std::string> lines;
  {
    Outbox outbox(options, clock);
    ASSERT_TRUE(outbox.open());
    Random random(3);
    for (uint64_t stroke = 1; stroke <= 2000; ++stroke) {
      lines.push_back(line(stroke, random));
      const Message one = message(Stream::kScores, stroke, lines.back());
      ASSERT_TRUE(outbox.append(std::span(&one, 1)));
    }
  }
  Outbox outbox(options, clock);
  ASSERT_TRUE(outbox.open());
  const auto read = outbox.read(Stream::kScores, 0, 10'000);
  ASSERT_EQ(read->size(), lines.size());
  for (size_t i = 0; i < lines.size(); ++i) ASSERT_EQ((*read)[i].payload, lines[i]);
}

TEST(Outbox, ThreeDaysOfScoresAndAHundredThousandAlertsFitInto64MiB) {
  FakeDisk disk;
  FakeClock clock;
  OutboxOptions options;
  options.open_file = disk.opener();
  Outbox outbox(options, clock);
  ASSERT_TRUE(outbox.open());
  EXPECT_LE(outbox.figures().bytes, 64U << 20);
  constexpr uint64_t kScores = 72 * 3600;
  constexpr uint64_t kAlerts = 100'000;
  Random random(4);
  std::vector<std::string> lines;
  std::vector<Message> batch;
  for (uint64_t stroke = 1; stroke <= kScores;) {
    lines.clear();
    batch.clear();
    for (size_t i = 0; i < 1024 && stroke <= kScores; ++i, ++stroke) lines.push_back(line(stroke, random));
    const uint64_t first = stroke - lines.size();
    for (size_t i = 0; i < lines.size(); ++i) batch.push_back(message(Stream::kScores, first + i, lines[i]));
    for (size_t i = 0; i < lines.size() && first + i <= kAlerts; ++i) {
      batch.push_back(message(Stream::kAlerts, first + i, lines[i]));
    }
    ASSERT_TRUE(outbox.append(batch));
  }
  const OutboxFigures figures = outbox.figures();
  EXPECT_EQ(figures.streams[0].messages, kAlerts);
  EXPECT_EQ(figures.streams[1].messages, kScores);
  EXPECT_EQ(figures.streams[0].drops, (std::array<uint64_t, kDropReasons>{}));
  RecordProperty("bytes_per_score", static_cast<int>(figures.streams[1].bytes / kScores));
}

}  // namespace
}  // namespace millwright::edge
