// SPDX-License-Identifier: Apache-2.0
#include "campaign/outbox_kill.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

#include <nlohmann/json.hpp>

#include "base/check.h"
#include "base/descriptor.h"
#include "base/random.h"
#include "campaign/fresh_folder.h"
#include "edge/outbox/outbox.h"

namespace millwright::campaign {
namespace {

using edge::Stream;

enum class Broken : uint8_t {
  kNot,
  kTellsTooEarly,  // says that a batch is durable before the file was asked to sync it
  kForgets,        // goes on from its own memory, which a kill empties, not from the store's
};

// One line of the account, through a pipe: it outlives the process that wrote it.
struct Note {
  enum class Kind : uint64_t { kDurable, kDelivered };
  Kind kind = Kind::kDurable;
  uint64_t stream = 0;
  uint64_t stroke = 0;
  uint64_t sequence = 0;
  std::array<char, 40> boot{};
  uint64_t right = 0;  // the payload is what was given
};

// The file, keeping what was written to itself until it is synced, as a page cache does whose machine loses power; and
// killing its process at one operation, before, in the middle of or after it.
class DeadlyFile final : public edge::outbox::BlockFile {
 public:
  DeadlyFile(std::unique_ptr<BlockFile> file, uint64_t die_at, uint64_t seed, bool lies)
      : file_(std::move(file)), die_at_(die_at), random_(seed), lies_(lies) {}
  [[nodiscard]] uint64_t size() const override { return file_->size(); }
  Status read(uint64_t offset, std::span<std::byte> bytes) override {
    MW_CHECK_OK(file_->read(offset, bytes));
    for (const auto& [at, written] : waiting_) {
      const uint64_t from = std::max(at, offset);
      const uint64_t to = std::min(at + written.size(), offset + bytes.size());
      if (from < to)
        std::copy_n(written.begin() + static_cast<std::ptrdiff_t>(from - at), to - from,
                    bytes.begin() + static_cast<std::ptrdiff_t>(from - offset));
    }
    return {};
  }
  Status write(uint64_t offset, std::span<const std::byte> bytes) override {
    waiting_.emplace_back(offset, std::vector<std::byte>(bytes.begin(), bytes.end()));
    if (turn()) die();
    return {};
  }
  Status sync() override {
    const bool last = turn();
    if (last && (lies_ || random_.below(2) == 0)) die();
    // Broken on purpose: syncs only when much has gathered.
    if (lies_ && waiting_.size() < 8) return {};
    for (const auto& [at, bytes] : waiting_) MW_CHECK_OK(file_->write(at, bytes));
    waiting_.clear();
    MW_CHECK_OK(file_->sync());
    if (last) die();
    return {};
  }
  Status allocate(uint64_t bytes) override { return file_->allocate(bytes); }
  Status set_aside() override { return file_->set_aside(); }

 private:
  bool turn() { return operations_++ == die_at_; }
  // A part of what waits reaches the disk, in any order, some of it torn.
  [[noreturn]] void die() {
    for (const auto& [at, bytes] : waiting_) {
      constexpr size_t kSector = 512;
      for (size_t i = 0; i < bytes.size();) {
        const size_t length = std::min(kSector - (at + i) % kSector, bytes.size() - i);
        if (random_.below(2) == 0) (void)file_->write(at + i, std::span(bytes).subspan(i, length));
        i += length;
      }
    }
    ::kill(::getpid(), SIGKILL);
    std::abort();
  }
  std::unique_ptr<BlockFile> file_;
  uint64_t die_at_;
  uint64_t operations_ = 0;
  Random random_;
  bool lies_;
  std::vector<std::pair<uint64_t, std::vector<std::byte>>> waiting_;
};

std::string payload_of(uint64_t stroke) {
  Random random(stroke);
  return fmt::format(R"({{"asset_id":"press","stroke_id":{},"anomaly_score":0.{:04},"verdict":"{}","more":"{}"}})",
                     stroke, random.below(10'000), random.below(4) == 0 ? "NO_GO" : "GO",
                     std::string(random.below(200), 'x'));
}

struct Life {
  std::filesystem::path folder;
  uint64_t seed = 0;
  uint64_t die_at = UINT64_MAX;  // operation of the file
  Broken broken = Broken::kNot;
  bool last = false;  // stores nothing more, delivers all, ends by itself
};

class Child {
 public:
  Child(const Life& life, int account) : life_(life), random_(life.seed), account_(account) {}

  int run() {
    edge::OutboxOptions options;
    options.folder = life_.folder;
    // So large that nothing is given up: the account has no place for that.
    for (auto& stream : options.streams) stream.bytes = 64 << 10;
    options.streams[0].bytes = options.streams[1].bytes = 4 << 20;
    // Acknowledgements reach the disk with every tick: with a kill each moment they would never, and the ring would
    // fill.
    options.checkpoint_every_ns = 0;
    const auto real = edge::outbox::block_file_at(life_.folder / "outbox.log");
    options.open_file = [&]() -> Result<std::unique_ptr<edge::outbox::BlockFile>> {
      return std::make_unique<DeadlyFile>(MW_TRY(real()), life_.die_at, life_.seed,
                                          life_.broken == Broken::kTellsTooEarly);
    };
    const SystemClock clock;
    edge::Outbox outbox(options, clock);
    if (const Status opened = outbox.open(); !opened) {
      std::fprintf(stderr, "outbox-kill: %s\n", opened.error().message.c_str());
      return 3;
    }
    if (life_.last) {
      for (const Stream stream : {Stream::kAlerts, Stream::kScores}) deliver(outbox, stream, 1'000'000, 100);
      // What a full ring gave up is not lost by a kill, but the account cannot tell them apart: there must be none.
      for (const auto& stream : outbox.figures().streams) {
        if (stream.drops != std::array<uint64_t, edge::kDropReasons>{}) return 5;
      }
      return 0;
    }
    uint64_t stroke = life_.broken == Broken::kForgets ? 0 : outbox.highest_stroke("press", Stream::kScores);
    while (true) {
      stroke = store(outbox, stroke);
      if (stroke == 0) return 4;
      deliver(outbox, Stream::kAlerts, 60, 60);
      deliver(outbox, Stream::kScores, 60, 90);
      if (random_.below(10) == 0) (void)outbox.tick();
    }
  }

 private:
  uint64_t store(edge::Outbox& outbox, uint64_t stroke) {
    const uint64_t count = 1 + random_.below(random_.below(10) == 0 ? 200 : 5);
    std::vector<std::string> payloads;
    std::vector<edge::Message> batch;
    payloads.reserve(count);
    for (uint64_t id = stroke + 1; id <= stroke + count; ++id) {
      payloads.push_back(payload_of(id));
      batch.push_back({.stream = Stream::kScores, .asset = "press", .stroke_id = id, .payload = payloads.back()});
      if (id % 4 != 0) continue;
      batch.push_back(batch.back());
      batch.back().stream = Stream::kAlerts;
    }
    const auto report = outbox.append(batch);
    if (!report || report->refused > 0) return 0;
    for (const edge::Message& one : batch) {
      tell({.kind = Note::Kind::kDurable, .stream = static_cast<uint64_t>(one.stream), .stroke = one.stroke_id});
    }
    return stroke + count;
  }

  void deliver(edge::Outbox& outbox, Stream stream, size_t most, uint64_t acknowledged_percent) {
    const auto messages = outbox.read(stream, 0, most);
    if (!messages) return;
    for (const edge::StoredMessage& one : *messages) {
      Note note{.kind = Note::Kind::kDelivered,
                .stream = static_cast<uint64_t>(stream),
                .stroke = one.stroke_id,
                .sequence = one.sequence,
                .right = one.payload == payload_of(one.stroke_id) ? 1U : 0U};
      one.boot_id.copy(note.boot.data(), note.boot.size() - 1);
      tell(note);
      if (random_.below(100) < acknowledged_percent) (void)outbox.acknowledge(one.boot_id, std::span(&one.sequence, 1));
    }
  }

  void tell(const Note& note) const {
    MW_CHECK(::write(account_, &note, sizeof(note)) == static_cast<ssize_t>(sizeof(note)), "the machine listens");
  }

  Life life_;
  Random random_;
  int account_;
};

struct Findings {
  uint64_t kills = 0, durable = 0, delivered = 0, lost = 0, duplicates = 0, wrong = 0, disorder = 0, bad_exits = 0;
  [[nodiscard]] uint64_t failures() const { return lost + duplicates + wrong + disorder + bad_exits; }
};

// The machine and the hub: their account is their own.
class Machine {
 public:
  void live(const Life& life, std::optional<std::chrono::microseconds> patience) {
    std::array<int, 2> ends{};
    MW_CHECK(::pipe2(ends.data(), O_CLOEXEC) == 0, "a pipe is always to be had");
    Descriptor in(ends[0]);
    Descriptor out(ends[1]);
    const pid_t child = ::fork();
    MW_CHECK(child >= 0, "a campaign needs processes");
    if (child == 0) {
      in.reset();
      ::_exit(Child(life, out.get()).run());
    }
    out.reset();
    std::thread killer;
    if (patience) {
      killer = std::thread([child, wait = *patience] {
        std::this_thread::sleep_for(wait);
        ::kill(child, SIGKILL);
      });
    }
    last_sequence_ = {};
    Note note;
    while (::read(in.get(), &note, sizeof(note)) == static_cast<ssize_t>(sizeof(note))) take(note);
    int status = 0;
    if (killer.joinable()) killer.join();
    ::waitpid(child, &status, 0);
    const bool killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
    found_.kills += killed ? 1 : 0;
    if (killed == life.last || (!killed && WEXITSTATUS(status) != 0)) ++found_.bad_exits;
  }

  Findings judge() {
    for (const auto& key : durable_) found_.lost += delivered_.contains(key) ? 0 : 1;
    for (const auto& [key, identities] : delivered_) found_.duplicates += identities.size() - 1;
    found_.durable = durable_.size();
    found_.delivered = delivered_.size();
    return found_;
  }

 private:
  using Key = std::pair<uint64_t, uint64_t>;  // stream, stroke
  void take(const Note& note) {
    const Key key{note.stream, note.stroke};
    if (note.kind == Note::Kind::kDurable) {
      durable_.insert(key);
      return;
    }
    // The same identity again is no duplicate: that is what identities are for. In one life new ones only rise.
    const bool is_new = delivered_[key].insert({note.boot.data(), note.sequence}).second;
    if (is_new && note.sequence <= last_sequence_[note.stream]) ++found_.disorder;
    if (is_new) last_sequence_[note.stream] = note.sequence;
    found_.wrong += note.right == 0 ? 1 : 0;
  }
  Findings found_;
  std::set<Key> durable_;
  std::map<Key, std::set<std::pair<std::string, uint64_t>>> delivered_;
  std::map<uint64_t, uint64_t> last_sequence_;
};

Findings run(const std::filesystem::path& folder, uint64_t kills, uint64_t seed, Broken broken) {
  std::filesystem::create_directories(folder);
  Random random(seed);
  Machine machine;
  // What is broken must have its chance: on a slow disk a short life ends before it has told anything.
  const uint64_t at_least_us = broken == Broken::kNot ? 1'000 : 60'000;
  for (uint64_t i = 0; i < kills; ++i) {
    Life life{.folder = folder, .seed = random.bits(), .broken = broken};
    std::optional<std::chrono::microseconds> patience;
    if (i % 2 == 0) {
      life.die_at = random.below(60);
    } else {
      patience = std::chrono::microseconds(at_least_us + random.below(60'000));
    }
    machine.live(life, patience);
    if (kills >= 1000 && (i + 1) % (kills / 10) == 0) {
      std::fprintf(stderr, "outbox-kill: %lu of %lu kills\n", static_cast<unsigned long>(i + 1),
                   static_cast<unsigned long>(kills));
    }
  }
  machine.live({.folder = folder, .seed = seed, .last = true}, std::nullopt);
  return machine.judge();
}

}  // namespace

Result<nlohmann::ordered_json> run_outbox_kill(uint64_t kills, uint64_t seed) {
  const std::filesystem::path folder = fresh_folder();
  constexpr uint64_t kControlKills = 30;
  // What was told too early is lost only where the kill comes before its delivery: rare, so it gets several goes.
  constexpr uint64_t kControlRounds = 20;
  Findings early;
  for (uint64_t round = 0; round < kControlRounds && early.lost == 0; ++round) {
    early = run(folder / fmt::format("early-{}", round), kControlKills, seed + round, Broken::kTellsTooEarly);
  }
  const Findings forgets = run(folder / "forgets", kControlKills, seed, Broken::kForgets);
  const Findings found = run(folder / "machine", kills, seed, Broken::kNot);
  const bool caught = early.lost > 0 && forgets.duplicates > 0;
  nlohmann::ordered_json line = {{"name", "outbox-kill"},
                                 {"trials", kills},
                                 {"failures", found.failures()},
                                 {"control_caught", caught},
                                 {"seed", seed},
                                 {"kills", found.kills},
                                 {"durable", found.durable},
                                 {"delivered", found.delivered},
                                 {"lost", found.lost},
                                 {"duplicates", found.duplicates},
                                 {"wrong_payload", found.wrong},
                                 {"disorder", found.disorder},
                                 {"bad_exits", found.bad_exits},
                                 {"control_lost", early.lost},
                                 {"control_duplicates", forgets.duplicates}};
  if (found.failures() == 0 && caught) {
    std::filesystem::remove_all(folder);
  } else {
    line["kept"] = folder.string();
  }
  return line;
}

}  // namespace millwright::campaign
