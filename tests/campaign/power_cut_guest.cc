// SPDX-License-Identifier: Apache-2.0
// The first and only process of a machine whose power is cut: what the agent does with records, from the journal
// through the feeder into the outbox and out to a hub, on a file system of its own. What it wants to know comes from
// the kernel's command line, as environment.
#include <sys/mount.h>
#include <sys/reboot.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "base/random.h"
#include "campaign/power_cut.h"
#include "edge/journal.h"
#include "edge/outbox/feeder.h"
#include "edge/outbox/outbox.h"
#include "model/stroke_record.h"

namespace millwright::campaign {
namespace {

using edge::Stream;

std::string setting(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? std::string() : value;
}

void tell(const CutNote& note) {
  const std::string line = to_line(note);
  // The wire is the host's: where it is gone, so is this machine.
  if (::write(STDOUT_FILENO, line.data(), line.size()) != static_cast<ssize_t>(line.size())) ::_exit(1);
}

// A function of the stroke alone, so that whoever reads it back knows it by heart.
std::string line_of(uint64_t stroke) {
  Random random(stroke);
  model::StrokeRecord record;
  record.stroke_id = stroke;
  record.plc_cycle = stroke;
  record.trigger_wall_ns = static_cast<int64_t>(1'800'000'000'000'000'000ULL + stroke * 1'000'000'000ULL);
  record.latency_ns = static_cast<int64_t>(random.below(5'000'000));
  record.is_alert = stroke % kAlertEvery == 0;
  record.verdict = record.is_alert ? model::Verdict::kNoGo : model::Verdict::kGo;
  record.score = random.uniform();
  record.raw_score = random.uniform() * 100.0;
  return model::to_json_line(record, {.factory_id = "plant",
                                      .line_id = "line",
                                      .asset_id = "press",
                                      .device_id = "box",
                                      .boot_id = "",
                                      .feature_names = {},
                                      .channel_names = {}});
}

// Broken on purpose.
class UnsyncedFile final : public edge::outbox::BlockFile {
 public:
  explicit UnsyncedFile(std::unique_ptr<BlockFile> file) : file_(std::move(file)) {}
  [[nodiscard]] uint64_t size() const override { return file_->size(); }
  Status read(uint64_t offset, std::span<std::byte> bytes) override { return file_->read(offset, bytes); }
  Status write(uint64_t offset, std::span<const std::byte> bytes) override { return file_->write(offset, bytes); }
  Status sync() override { return {}; }
  Status allocate(uint64_t bytes) override { return file_->allocate(bytes); }
  Status set_aside() override { return file_->set_aside(); }

 private:
  std::unique_ptr<BlockFile> file_;
};

class Guest {
 public:
  Guest(const std::filesystem::path& state, uint64_t seed, CutBroken broken)
      : random_(seed),
        broken_(broken),
        records_(state / "press" / "records"),
        outbox_(options(state, broken), clock_) {}

  Status run(bool last) {
    MW_CHECK_OK(outbox_.open());
    for (const Stream stream : {Stream::kAlerts, Stream::kScores}) MW_CHECK_OK(list(stream));
    tell({.kind = CutNote::kOpened, .stroke = highest(), .sequence = outbox_.figures().quarantined});
    auto journal = MW_TRY(edge::Journal::open(records_, {.max_file_bytes = 256 << 10, .max_files = 8}));
    last_ = written_ = journal.tail().stroke_id;
    edge::Feeder feeder(outbox_, {{.asset = "press", .records = records_, .durable_id = written_}}, clock_);
    MW_CHECK_OK(feed(feeder));
    tell({.kind = CutNote::kCaughtUp, .stroke = highest()});
    if (last) return deliver_all();
    while (true) {
      MW_CHECK_OK(record(journal));
      feeder.note(0, written_);
      MW_CHECK_OK(feed(feeder));
      tell({.kind = CutNote::kDurable, .stroke = highest()});
      // A control is about what was told: what somebody has taken cannot be missed.
      if (broken_ != CutBroken::kNot) continue;
      (void)MW_TRY(deliver(Stream::kAlerts, 60, 60));
      (void)MW_TRY(deliver(Stream::kScores, 60, 90));
      if (random_.below(10) == 0) MW_CHECK_OK(outbox_.tick());
    }
  }

 private:
  static edge::OutboxOptions options(const std::filesystem::path& state, CutBroken broken) {
    edge::OutboxOptions options;
    options.folder = state / "outbox";
    // What is given up is not lost by a cut, but the host cannot tell them apart: alerts and scores have room.
    for (auto& stream : options.streams) stream.bytes = 64 << 10;
    options.streams[0].bytes = options.streams[1].bytes = 2 << 20;
    if (broken == CutBroken::kNoSync) {
      options.open_file = [real = edge::outbox::block_file_at(
                               options.folder / "outbox.log")]() -> Result<std::unique_ptr<edge::outbox::BlockFile>> {
        return std::make_unique<UnsyncedFile>(MW_TRY(real()));
      };
    }
    return options;
  }

  [[nodiscard]] uint64_t highest() const { return outbox_.highest_stroke("press", Stream::kScores); }

  Status feed(edge::Feeder& feeder) {
    while (MW_TRY(feeder.feed()) > 0) {
    }
    return {};
  }

  Status record(edge::Journal& journal) {
    constexpr uint64_t kInMemory = 50;
    last_ += 1 + random_.below(random_.below(10) == 0 ? 200 : 5);
    const uint64_t end = broken_ == CutBroken::kTellsTooEarly ? last_ - std::min(last_, kInMemory) : last_;
    std::string lines;
    for (uint64_t stroke = written_ + 1; stroke <= end; ++stroke) lines += line_of(stroke) + "\n";
    if (!lines.empty()) MW_CHECK_OK(journal.append(lines, written_ + 1));
    written_ = std::max(written_, end);
    tell({.kind = CutNote::kRecorded, .stroke = last_});
    return {};
  }

  void tell(CutNote::Kind kind, const edge::StoredMessage& message) {
    campaign::tell({.kind = kind,
                    .stream = static_cast<uint64_t>(message.stream),
                    .stroke = message.stroke_id,
                    .sequence = message.sequence,
                    .right = message.payload == line_of(message.stroke_id),
                    .boot = message.boot_id});
  }
  static void tell(const CutNote& note) { campaign::tell(note); }

  Status list(Stream stream) {
    constexpr size_t kAtOnce = 200;
    uint64_t after = 0;
    while (true) {
      const auto messages = MW_TRY(outbox_.read(stream, after, kAtOnce));
      if (messages.empty()) return {};
      for (const auto& message : messages) tell(CutNote::kListed, message);
      after = messages.back().sequence;
    }
  }

  Result<size_t> deliver(Stream stream, size_t most, uint64_t acknowledged_percent) {
    const auto messages = MW_TRY(outbox_.read(stream, 0, most));
    for (const auto& message : messages) {
      tell(CutNote::kTaken, message);
      if (random_.below(100) < acknowledged_percent) {
        (void)outbox_.acknowledge(message.boot_id, std::span(&message.sequence, 1));
      }
    }
    return messages.size();
  }

  Status deliver_all() {
    for (const Stream stream : {Stream::kAlerts, Stream::kScores}) {
      while (MW_TRY(deliver(stream, 200, 100)) > 0) {
      }
    }
    uint64_t dropped = 0;
    for (const auto& stream : outbox_.figures().streams) {
      for (const uint64_t one : stream.drops) dropped += one;
    }
    tell({.kind = CutNote::kDone, .sequence = dropped});
    return {};
  }

  Random random_;
  CutBroken broken_;
  std::filesystem::path records_;
  SystemClock clock_;
  edge::Outbox outbox_;
  uint64_t last_ = 0;     // made
  uint64_t written_ = 0;  // in the journal
};

// The kernel's own idea of when to write is one of the things that vary.
void write_back_every(const std::string& centiseconds) {
  if (centiseconds.empty()) return;
  for (const char* name : {"dirty_writeback_centisecs", "dirty_expire_centisecs"}) {
    std::ofstream(std::filesystem::path("/proc/sys/vm") / name) << centiseconds;
  }
}

int run() {
  const std::string folder = setting("MW_MOUNT");
  if (folder.empty()) {
    std::fprintf(stderr, "power_cut_guest: runs as the first process of a machine that campaign boots\n");
    return 2;
  }
  (void)::mount("proc", "/proc", "proc", 0, nullptr);
  write_back_every(setting("MW_WRITE_BACK"));
  if (::mount("/dev/ubda", folder.c_str(), "ext4", 0, nullptr) != 0) {
    tell({.kind = CutNote::kFailed, .stroke = 1});
  } else {
    tell({.kind = CutNote::kMounted});
    const auto broken = static_cast<CutBroken>(std::atoi(setting("MW_BROKEN").c_str()));
    const uint64_t seed = std::strtoull(setting("MW_SEED").c_str(), nullptr, 10);
    Guest guest(std::filesystem::path(folder) / "state", seed, broken);
    if (const Status done = guest.run(setting("MW_LAST") == "1"); !done) {
      std::printf("power_cut_guest: %s\n", done.error().message.c_str());
      std::fflush(stdout);
      tell({.kind = CutNote::kFailed, .stroke = 2});
    }
  }
  ::sync();
  return ::reboot(RB_POWER_OFF);
}

}  // namespace
}  // namespace millwright::campaign

int main() { return millwright::campaign::run(); }
