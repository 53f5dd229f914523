// SPDX-License-Identifier: Apache-2.0
#include "campaign/broker_kill.h"

#include <algorithm>
#include <array>
#include <csignal>
#include <latch>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include <nlohmann/json.hpp>

#include "base/temporary_folder.h"
#include "campaign/fleet.h"
#include "net/mqtt/broker_fixture.h"

namespace millwright::campaign {
namespace {

using nlohmann::ordered_json;

constexpr double kReconnectS = 120.0;
constexpr double kDrainS = 180.0;
constexpr uint64_t kControlKills = 1;

constexpr double kStrokesPerS = 30.0;

struct Run {
  std::filesystem::path folder;
  std::filesystem::path agent;
  uint64_t kills = 0;
  uint64_t seed = 0;
  bool hub_away = false;         // at each kill: what it has not heard is in the broker's memory and nowhere else
  bool believes_broker = false;  // the box; with the hub away alerts are then lost for sure
};

struct Found {
  Account account;
  uint64_t kills = 0, repeats = 0, refused = 0, bad_exits = 0, not_drained = 0;
  [[nodiscard]] uint64_t messages() const { return account.strokes + account.alerts; }
  // Scores leave on a broker's word, so that what it forgets of them is a figure, not a failure.
  [[nodiscard]] uint64_t failures() const {
    return account.alerts_lost + account.duplicates + account.strange + refused + bad_exits + not_drained;
  }
};

ordered_json to_json(const Found& found) {
  return {{"kills", found.kills},
          {"scores", found.account.strokes},
          {"alerts", found.account.alerts},
          {"alerts_lost", found.account.alerts_lost},
          {"scores_lost", found.account.scores_lost},
          {"duplicates", found.account.duplicates},
          {"strange", found.account.strange},
          {"refused", found.refused},
          {"repeats", found.repeats},
          {"not_drained", found.not_drained},
          {"bad_exits", found.bad_exits}};
}

// The session of a hub that was there once is in this broker's memory and nowhere else.
constexpr const char* kBroker = "allow_anonymous true\npersistence true\n";

class Plant {
 public:
  Plant(Run run, std::latch& built, std::mutex& one_at_a_time)
      : run_(std::move(run)), built_(built), one_at_a_time_(one_at_a_time), random_(run_.seed), broker_(kBroker) {}

  Result<Found> go() {
    const Status stands = build();
    // A broker that is down leaves its port to whoever looks for one: nobody does any more.
    built_.arrive_and_wait();
    MW_CHECK_OK(stands);
    Hub& hub = *hub_;
    while (found_.kills < run_.kills) {
      MW_CHECK_OK(kill_once(hub));
      if (found_.kills % 10 == 0) {
        std::fprintf(stderr, "broker-kill: %lu of %lu kills%s, %lu scores, %lu alerts\n",
                     static_cast<unsigned long>(found_.kills), static_cast<unsigned long>(run_.kills),
                     run_.hub_away ? " with the hub away" : "", static_cast<unsigned long>(hub.scores_heard()),
                     static_cast<unsigned long>(hub.alerts_heard()));
      }
    }
    box_->halt();
    const bool drained = wait_until(kDrainS, [this] {
      const auto uplink = box_->uplink();
      return uplink["connected"] == true && uplink["outbox"]["waiting"] == 0;
    });
    found_.not_drained = drained ? 0 : 1;
    found_.bad_exits = box_->end() == 0 ? 0 : 1;
    found_.account = settle(MW_TRY(read_records(box_->records())), *hub_);
    found_.repeats = hub_->repeats();
    found_.refused = hub_->refused();
    return found_;
  }

 private:
  Status build() {
    const std::lock_guard lock(one_at_a_time_);
    std::filesystem::create_directories(run_.folder);
    broker_.start();
    hub_.emplace(broker_.port(), run_.folder);
    hub_->start();
    box_ = MW_TRY(Box::start({.folder = run_.folder,
                              .agent = run_.agent,
                              .broker_port = broker_.port(),
                              .alerts_leave_on = run_.believes_broker ? "puback" : "hub",
                              .strokes_per_s = kStrokesPerS,
                              .seed = run_.seed}));
    return {};
  }

  Status kill_once(Hub& hub) {
    // Mostly the box is back before the next blow; now and then it falls into its first moments.
    const bool waits = run_.believes_broker || random_.below(4) != 0;
    if (waits && !wait_until(kReconnectS, [&] { return box_->connected() && hub.listening(); })) {
      return fail(ErrorCode::kTimedOut, "box and hub did not come back within {} s", kReconnectS);
    }
    if (run_.hub_away) hub.stop();
    if (run_.believes_broker) {
      // Until the broker has taken what it will forget.
      const uint64_t before = box_->uplink()["sent"]["confirmed"];
      (void)wait_until(kReconnectS, [&] { return box_->uplink()["sent"]["confirmed"] > before + 10; });
    }
    pause_ms(random_.below(4000));
    if (!box_->alive()) return fail(ErrorCode::kUnavailable, "the agent ended; see {}", run_.folder.string());
    broker_.kill();
    ++found_.kills;
    pause_ms(random_.below(700));
    broker_.start();
    if (run_.hub_away && random_.below(2) == 0) pause_ms(random_.below(3000));
    hub.start();
    return {};
  }

  const Run run_;
  std::latch& built_;
  std::mutex& one_at_a_time_;
  Random random_;
  net::mqtt::RealBroker broker_;
  std::optional<Hub> hub_;
  std::unique_ptr<Box> box_;
  Found found_;
};

}  // namespace

Result<ordered_json> run_broker_kill(const CampaignOptions& options) {
  const TemporaryFolder folder;
  const uint64_t away = std::max<uint64_t>(1, options.trials / 4);
  const std::array<Run, 3> runs = {{
      {.folder = folder.path() / "listening", .kills = options.trials - std::min(options.trials - 1, away)},
      {.folder = folder.path() / "away", .kills = away, .hub_away = true},
      {.folder = folder.path() / "control", .kills = kControlKills, .hub_away = true, .believes_broker = true},
  }};
  std::latch built(runs.size());
  std::mutex one_at_a_time;
  std::array<Result<Found>, runs.size()> found;
  std::vector<std::thread> threads;
  for (size_t i = 0; i < runs.size(); ++i) {
    threads.emplace_back([&, i] {
      Run run = runs[i];
      run.agent = options.agent;
      run.seed = options.seed + i;
      found[i] = Plant(run, built, one_at_a_time).go();
    });
  }
  for (std::thread& thread : threads) thread.join();
  const Found listening = MW_TRY(std::move(found[0]));
  const Found hub_away = MW_TRY(std::move(found[1]));
  const Found control = MW_TRY(std::move(found[2]));
  return ordered_json{{"name", "broker-kill"},
                      {"trials", options.trials},
                      {"failures", listening.failures() + hub_away.failures()},
                      {"control_caught", control.account.alerts_lost > 0},
                      {"seed", options.seed},
                      {"messages", listening.messages() + hub_away.messages()},
                      {"listening", to_json(listening)},
                      {"hub_away", to_json(hub_away)},
                      {"control", to_json(control)}};
}

}  // namespace millwright::campaign
