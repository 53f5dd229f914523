// SPDX-License-Identifier: Apache-2.0
#include "campaign/outbox_power_cut.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <set>
#include <string>
#include <utility>

#include <nlohmann/json.hpp>

#include "base/check.h"
#include "base/random.h"
#include "campaign/fresh_folder.h"
#include "campaign/power_cut.h"
#include "campaign/virtual_machine.h"

namespace millwright::campaign {
namespace {

using std::chrono::milliseconds;

constexpr uint64_t kDiskBytes = 48 << 20;
constexpr uint64_t kCutsPerDisk = 25;
constexpr size_t kAlerts = 0;
constexpr size_t kScores = 1;

struct Findings {
  uint64_t cuts = 0, cuts_while_starting = 0, disks = 0;
  uint64_t recorded = 0, durable = 0, alerts = 0, delivered = 0;
  uint64_t lost_alerts = 0, lost_scores = 0, lost_records = 0;
  uint64_t gaps = 0, duplicates = 0, wrong = 0, disorder = 0, damaged = 0, given_up = 0, bad_starts = 0;
  [[nodiscard]] uint64_t failures() const {
    return lost_alerts + lost_scores + lost_records + gaps + duplicates + wrong + disorder + damaged + given_up +
           bad_starts;
  }
  void add(const Findings& other);
};

// What one disk has said over all its lives, kept by the host.
class Account {
 public:
  void begin_life() {
    listed_.clear();
    highest_listed_ = {};
  }

  void take(const CutNote& note) {
    switch (note.kind) {
      case CutNote::kRecorded: recorded_ = std::max(recorded_, note.stroke); break;
      case CutNote::kDurable: durable_ = std::max(durable_, note.stroke); break;
      case CutNote::kListed:
        follow(note);
        listed_.insert({note.stream, note.stroke});
        meet(note);
        break;
      case CutNote::kTaken:
        taken_.insert({note.stream, note.stroke});
        meet(note);
        break;
      case CutNote::kOpened: opened(note); break;
      case CutNote::kCaughtUp:
        // Also what was recorded before a cut between journal and outbox.
        if (note.stroke < recorded_) found.lost_records += recorded_ - note.stroke;
        recorded_ = std::min(recorded_, note.stroke);
        durable_ = std::max(durable_, note.stroke);
        break;
      case CutNote::kDone:
        found.given_up += note.sequence;
        for (uint64_t stroke = 1; stroke <= durable_; ++stroke) expect(stroke, true);
        break;
      case CutNote::kFailed: ++found.bad_starts; break;
      case CutNote::kMounted: break;
    }
  }

  Findings judge() {
    found.recorded = recorded_;
    found.durable = durable_;
    found.alerts = durable_ / kAlertEvery;
    found.delivered = taken_.size();
    return found;
  }

  Findings found;

 private:
  using Key = std::pair<uint64_t, uint64_t>;  // stream, stroke

  // A list goes by sequence, and so do the strokes in it.
  void follow(const CutNote& note) {
    auto& [sequence, stroke] = highest_listed_[note.stream];
    if (note.sequence <= sequence || note.stroke <= stroke) ++found.disorder;
    sequence = note.sequence;
    stroke = note.stroke;
  }

  // The same identity again is no duplicate: that is what identities are for.
  void meet(const CutNote& note) {
    found.wrong += note.right ? 0 : 1;
    auto& identities = identities_[{note.stream, note.stroke}];
    if (identities.insert({note.boot, note.sequence}).second && identities.size() > 1) ++found.duplicates;
  }

  // Everything up to the highest stroke is here or with somebody.
  void opened(const CutNote& note) {
    found.damaged += note.sequence;
    for (uint64_t stroke = 1; stroke <= std::max(durable_, note.stroke); ++stroke) expect(stroke, stroke <= durable_);
  }

  void expect(uint64_t stroke, bool durable) {
    for (const size_t stream : {kAlerts, kScores}) {
      if (stream == kAlerts && stroke % kAlertEvery != 0) continue;
      const Key key{stream, stroke};
      if (taken_.contains(key) || listed_.contains(key)) continue;
      ++(!durable ? found.gaps : stream == kAlerts ? found.lost_alerts : found.lost_scores);
      taken_.insert(key);  // counted once
    }
  }

  uint64_t recorded_ = 0;
  uint64_t durable_ = 0;
  std::set<Key> listed_;
  std::set<Key> taken_;
  std::map<Key, std::set<std::pair<std::string, uint64_t>>> identities_;
  std::array<std::pair<uint64_t, uint64_t>, 2> highest_listed_{};
};

void Findings::add(const Findings& other) {
  const auto each = [](Findings& f) {
    return std::array{&f.cuts,     &f.cuts_while_starting, &f.disks,       &f.recorded,    &f.durable,
                      &f.alerts,   &f.delivered,           &f.lost_alerts, &f.lost_scores, &f.lost_records,
                      &f.gaps,     &f.duplicates,          &f.wrong,       &f.disorder,    &f.damaged,
                      &f.given_up, &f.bad_starts};
  };
  Findings copy = other;
  const auto from = each(copy);
  const auto to = each(*this);
  for (size_t i = 0; i < to.size(); ++i) *to[i] += *from[i];
}

struct Life {
  MachinePlan plan;
  bool last = false;            // ends by itself
  bool while_starting = false;  // is cut while the store is found or made
  milliseconds patience{};      // from the moment that it is mounted or, later, caught up
};

// One boot and one cut.
Status live(const Life& life, Account& account) {
  constexpr auto kLongest = std::chrono::seconds(120);
  auto machine = MW_TRY(VirtualMachine::boot(life.plan));
  account.begin_life();
  const auto patience = VirtualMachine::Clock::now() + kLongest;
  auto until = patience;
  bool said = false;
  bool cut = false;
  while (!machine.ended()) {
    const auto text = machine.line(cut ? patience : until);
    if (!text && !machine.ended()) {
      if (cut) break;
      machine.cut();
      cut = true;
      continue;
    }
    const auto note = text ? parse_cut_note(*text) : std::nullopt;
    if (!note) continue;
    account.take(*note);
    const CutNote::Kind from = life.while_starting ? CutNote::kMounted : CutNote::kCaughtUp;
    if (note->kind != from) continue;
    said = true;
    if (!life.last) until = VirtualMachine::Clock::now() + life.patience;
  }
  const bool killed = machine.wait_was_killed();
  // A machine that said nothing, or ended by itself.
  if (!said || killed == life.last) ++account.found.bad_starts;
  if (killed) ++account.found.cuts;
  if (killed && life.while_starting) ++account.found.cuts_while_starting;
  return {};
}

class Campaign {
 public:
  Campaign(std::filesystem::path folder, std::filesystem::path guest)
      : folder_(std::move(folder)), guest_(std::move(guest)) {
    std::filesystem::create_directories(folder_ / "mount");
  }

  Result<Findings> run(uint64_t cuts, uint64_t seed, CutBroken broken) {
    Random random(seed);
    Findings all;
    while (all.cuts < cuts && all.bad_starts == 0) {
      Account account;
      account.found.disks = 1;
      MW_CHECK_OK(make_disk(folder_ / "disk", kDiskBytes));
      for (uint64_t i = 0; i < std::min(kCutsPerDisk, cuts - all.cuts); ++i) {
        MW_CHECK_OK(live(next(random, broken), account));
      }
      MW_CHECK_OK(live({.plan = plan(random.bits(), broken, true), .last = true}, account));
      all.add(account.judge());
      if (cuts > kCutsPerDisk) {
        std::fprintf(stderr, "outbox-power-cut: %lu of %lu cuts, %lu failures\n", static_cast<unsigned long>(all.cuts),
                     static_cast<unsigned long>(cuts), static_cast<unsigned long>(all.failures()));
      }
    }
    return all;
  }

 private:
  [[nodiscard]] MachinePlan plan(uint64_t seed, CutBroken broken, bool last) const {
    return {.disk = folder_ / "disk",
            .folder = folder_,
            .init = guest_,
            .environment = {"MW_MOUNT=" + (folder_ / "mount").string(), fmt::format("MW_SEED={}", seed),
                            fmt::format("MW_BROKEN={}", static_cast<int>(broken)), fmt::format("MW_LAST={:d}", last)}};
  }

  Life next(Random& random, CutBroken broken) const {
    Life life{.plan = plan(random.bits(), broken, false)};
    // A control is about what was told, so it must have come to tell.
    life.while_starting = broken == CutBroken::kNot && random.below(6) == 0;
    life.patience = milliseconds(life.while_starting ? random.below(400) : 100 + random.below(1200));
    // Where the kernel writes back often, a part of what was not synced reaches the disk.
    if (broken == CutBroken::kNot && random.below(3) == 0) {
      life.plan.environment.push_back(fmt::format("MW_WRITE_BACK={}", 1 + random.below(20)));
    }
    return life;
  }

  std::filesystem::path folder_;
  std::filesystem::path guest_;
};

}  // namespace

Result<nlohmann::ordered_json> run_outbox_power_cut(uint64_t cuts, uint64_t seed, const std::filesystem::path& guest) {
  const std::filesystem::path folder = fresh_folder();
  Campaign campaign(folder, guest);
  const Findings early = MW_TRY(campaign.run(2, seed, CutBroken::kTellsTooEarly));
  const Findings no_sync = MW_TRY(campaign.run(2, seed, CutBroken::kNoSync));
  const Findings found = MW_TRY(campaign.run(cuts, seed, CutBroken::kNot));
  const bool caught = early.lost_records > 0 && no_sync.lost_scores > 0 && no_sync.lost_alerts > 0;
  nlohmann::ordered_json line = {{"name", "outbox-power-cut"},
                                 {"trials", cuts},
                                 {"failures", found.failures()},
                                 {"control_caught", caught},
                                 {"seed", seed},
                                 {"cuts", found.cuts},
                                 {"cuts_while_starting", found.cuts_while_starting},
                                 {"disks", found.disks},
                                 {"recorded", found.recorded},
                                 {"durable", found.durable},
                                 {"durable_alerts", found.alerts},
                                 {"delivered", found.delivered},
                                 {"lost_alerts", found.lost_alerts},
                                 {"lost_scores", found.lost_scores},
                                 {"lost_records", found.lost_records},
                                 {"gaps", found.gaps},
                                 {"duplicates", found.duplicates},
                                 {"wrong_payload", found.wrong},
                                 {"disorder", found.disorder},
                                 {"damaged", found.damaged},
                                 {"given_up", found.given_up},
                                 {"bad_starts", found.bad_starts},
                                 {"control_lost_records", early.lost_records},
                                 {"control_lost_scores", no_sync.lost_scores},
                                 {"control_lost_alerts", no_sync.lost_alerts}};
  if (found.failures() == 0 && caught) {
    std::filesystem::remove_all(folder);
  } else {
    line["kept"] = folder.string();
  }
  return line;
}

}  // namespace millwright::campaign
