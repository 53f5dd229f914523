// SPDX-License-Identifier: Apache-2.0
// Whatever the power does at whatever operation: what was reported as stored is there, in order, once.
#include <map>
#include <set>

#include <gtest/gtest.h>

#include "edge/outbox/fake_block_file.h"
#include "edge/outbox/outbox.h"

namespace millwright::edge {
namespace {

using outbox::FakeDisk;

// A machine that stores stroke after stroke and a hub that takes some of them, over many lives of one disk. Keeps its
// own account.
class Account {
 public:
  explicit Account(uint64_t seed) : random_(seed) {
    disk_.forgets_at_cut = random_.below(4) != 0;
    options_.open_file = disk_.opener();
    for (StreamOptions& stream : options_.streams) stream.bytes = 65'536;
    // The account has no place for what is given up: nothing may be.
    for (StreamOptions& stream : options_.streams) stream.drop_oldest = false;
  }

  FakeDisk& disk() { return disk_; }

  // One life: up to `operations` operations of the disk, or as long as the script runs. Returns how many it took.
  uint64_t live(std::optional<uint64_t> cut_after) {
    const uint64_t before = disk_.operations;
    if (cut_after) disk_.cut_at = before + *cut_after;
    {
      Outbox outbox(options_, clock_);
      if (outbox.open()) script(outbox);
    }
    const uint64_t took = disk_.operations - before;
    disk_.restore_power(random_);
    return took;
  }

  // After the last life: everything that waits is delivered, and the account must fit.
  void settle() {
    disk_.fail_at.reset();
    Outbox outbox(options_, clock_);
    const Status opened = outbox.open();
    ASSERT_TRUE(opened) << opened.error().message;
    for (const Stream stream : {Stream::kAlerts, Stream::kScores}) take(outbox, stream, 100'000, 1);
    for (const Stream stream : {Stream::kAlerts, Stream::kScores}) {
      const auto& taken = taken_[stream];
      for (const uint64_t stroke : durable_[stream]) {
        ASSERT_TRUE(taken.contains(stroke)) << "lost stroke " << stroke << " of " << name(stream);
      }
      for (const auto& [stroke, identities] : taken) {
        ASSERT_EQ(identities.size(), 1U) << "stroke " << stroke << " has two identities";
      }
    }
  }

 private:
  void script(Outbox& outbox) {
    uint64_t stroke = outbox.highest_stroke("press", Stream::kScores);
    ASSERT_GE(stroke, highest_) << "went back behind what was durable";
    const uint64_t steps = 3 + random_.below(12);
    for (uint64_t step = 0; step < steps && outbox.is_open(); ++step) {
      std::vector<std::string> payloads;
      std::vector<Message> batch;
      const uint64_t count = 1 + random_.below(6);
      payloads.reserve(count);
      for (uint64_t i = 0; i < count; ++i) {
        const uint64_t id = stroke + 1 + i;
        payloads.push_back(payload(id));
        batch.push_back({.stream = Stream::kScores, .asset = "press", .stroke_id = id, .payload = payloads.back()});
        if (id % 3 == 0) {
          batch.push_back({.stream = Stream::kAlerts, .asset = "press", .stroke_id = id, .payload = payloads.back()});
        }
      }
      const auto report = outbox.append(batch);
      if (!report) break;
      ASSERT_EQ(report->refused, 0U);
      for (const Message& one : batch) durable_[one.stream].insert(one.stroke_id);
      stroke += count;
      highest_ = stroke;
      take(outbox, Stream::kScores, 10, 1);
      take(outbox, Stream::kAlerts, 10, 4);
      if (random_.below(5) == 0) (void)outbox.tick();
      clock_.advance_ns(int64_t{30} * 1'000'000'000);
    }
  }

  // The hub takes what comes, and acknowledges about three of four, or one of four.
  void take(Outbox& outbox, Stream stream, size_t most, uint64_t one_in) {
    const auto messages = outbox.read(stream, 0, most);
    if (!messages) return;
    uint64_t before = 0;
    for (const StoredMessage& one : *messages) {
      ASSERT_GT(one.sequence, before) << "order";
      before = one.sequence;
      ASSERT_EQ(one.payload, payload(one.stroke_id));
      taken_[stream][one.stroke_id].insert({one.boot_id, one.sequence});
      if (random_.below(4 * one_in) < 3) (void)outbox.acknowledge(one.boot_id, std::span(&one.sequence, 1));
    }
  }

  static std::string payload(uint64_t stroke) {
    Random random(stroke);
    std::string text = fmt::format(R"({{"asset":"press","stroke_id":{},"a_long_name_for_a_score":0.{},"verdict":"{}")",
                                   stroke, random.below(10'000), random.below(3) == 0 ? "GO" : "NO_GO");
    text += std::string(random.below(60), 'x');
    return text + "}";
  }

  Random random_;
  FakeDisk disk_;
  FakeClock clock_;
  OutboxOptions options_;
  uint64_t highest_ = 0;
  std::map<Stream, std::set<uint64_t>> durable_;
  std::map<Stream, std::map<uint64_t, std::set<std::pair<std::string, uint64_t>>>> taken_;
};

TEST(OutboxProperty, APowerCutAtEveryOperationOfALife) {
  for (uint64_t cut = 0; cut < 80; ++cut) {
    for (uint64_t seed = 1; seed <= 4; ++seed) {
      Account account(seed * 1000 + cut);
      account.live(std::nullopt);
      account.live(cut);
      account.live(std::nullopt);
      account.settle();
      ASSERT_FALSE(testing::Test::HasFatalFailure()) << "seed " << seed << " cut " << cut;
    }
  }
}

TEST(OutboxProperty, ManyCutsInARow) {
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    Account account(seed);
    Random random(seed);
    for (int life = 0; life < 30; ++life) account.live(random.below(40));
    account.settle();
    ASSERT_FALSE(testing::Test::HasFatalFailure()) << "seed " << seed;
  }
}

TEST(OutboxProperty, ADiskThatFailsAtEveryOperation) {
  for (uint64_t at = 0; at < 80; ++at) {
    for (uint64_t seed = 1; seed <= 3; ++seed) {
      Account account(seed * 977 + at);
      account.live(std::nullopt);
      account.disk().fail_at = account.disk().operations + at;
      account.live(std::nullopt);
      account.live(std::nullopt);
      account.settle();
      ASSERT_FALSE(testing::Test::HasFatalFailure()) << "seed " << seed << " at " << at;
    }
  }
}

}  // namespace
}  // namespace millwright::edge
