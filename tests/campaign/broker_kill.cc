// SPDX-License-Identifier: Apache-2.0
#include "campaign/broker_kill.h"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "base/temporary_folder.h"
#include "campaign/fleet.h"
#include "net/mqtt/broker_fixture.h"

namespace millwright::campaign {
namespace {

constexpr double kReconnectS = 120.0;
constexpr double kDrainS = 180.0;
constexpr uint64_t kControlKills = 2;

struct Run {
  std::filesystem::path folder;
  std::filesystem::path agent;
  uint64_t kills = 0;
  uint64_t seed = 0;
  bool believes_broker = false;  // and the hub is away at each kill: then something is lost for sure
};

struct Found {
  Account account;
  uint64_t kills = 0, kills_hub_away = 0, repeats = 0, refused = 0, bad_exits = 0, not_drained = 0;
  [[nodiscard]] uint64_t failures() const {
    return account.alerts_lost + account.duplicates + account.strange + refused + bad_exits + not_drained;
  }
};

// The session of a hub that was there once is in this broker's memory and nowhere else.
constexpr const char* kBroker = "allow_anonymous true\npersistence true\n";

class Plant {
 public:
  explicit Plant(Run run) : run_(std::move(run)), random_(run_.seed), broker_(kBroker) {}

  Result<Found> go() {
    std::filesystem::create_directories(run_.folder);
    broker_.start();
    Hub hub(broker_.port(), run_.folder);
    hub.start();
    box_ = MW_TRY(Box::start({.folder = run_.folder,
                              .agent = run_.agent,
                              .broker_port = broker_.port(),
                              .alerts_leave_on = run_.believes_broker ? "puback" : "hub",
                              .seed = run_.seed}));
    while (found_.kills < run_.kills) {
      MW_CHECK_OK(kill_once(hub));
      if (run_.kills >= 50 && found_.kills % (run_.kills / 10) == 0) {
        std::fprintf(stderr, "broker-kill: %lu of %lu kills, %lu scores, %lu alerts\n",
                     static_cast<unsigned long>(found_.kills), static_cast<unsigned long>(run_.kills),
                     static_cast<unsigned long>(hub.scores_heard()), static_cast<unsigned long>(hub.alerts_heard()));
      }
    }
    box_->halt();
    const bool drained = wait_until(kDrainS, [this] {
      const auto uplink = box_->uplink();
      return uplink["connected"] == true && uplink["outbox"]["waiting"] == 0;
    });
    found_.not_drained = drained ? 0 : 1;
    found_.bad_exits = box_->end() == 0 ? 0 : 1;
    found_.account = settle(MW_TRY(read_records(box_->records())), hub);
    found_.repeats = hub.repeats();
    found_.refused = hub.refused();
    return found_;
  }

 private:
  Status kill_once(Hub& hub) {
    const bool away = run_.believes_broker || random_.below(4) == 0;
    // Mostly the box is back before the next blow; now and then it falls into its first moments.
    const bool waits = run_.believes_broker || random_.below(4) != 0;
    if (waits && !wait_until(kReconnectS, [&] { return box_->connected() && hub.listening(); })) {
      return fail(ErrorCode::kTimedOut, "box and hub did not come back within {} s", kReconnectS);
    }
    if (away) hub.stop();
    if (run_.believes_broker) {
      // Until the broker has taken what it will forget.
      const uint64_t before = box_->uplink()["sent"]["confirmed"];
      (void)wait_until(kReconnectS, [&] { return box_->uplink()["sent"]["confirmed"] > before + 10; });
    }
    pause_ms(random_.below(4000));
    if (!box_->alive()) return fail(ErrorCode::kUnavailable, "the agent ended; see {}", run_.folder.string());
    broker_.kill();
    ++found_.kills;
    found_.kills_hub_away += away ? 1 : 0;
    pause_ms(random_.below(700));
    broker_.start();
    if (away && random_.below(2) == 0) pause_ms(random_.below(3000));
    hub.start();
    return {};
  }

  const Run run_;
  Random random_;
  net::mqtt::RealBroker broker_;
  std::unique_ptr<Box> box_;
  Found found_;
};

}  // namespace

Result<nlohmann::ordered_json> run_broker_kill(const CampaignOptions& options) {
  const TemporaryFolder folder;
  const std::filesystem::path& path = folder.path();
  const Found control = MW_TRY(Plant({.folder = path / "control",
                                      .agent = options.agent,
                                      .kills = kControlKills,
                                      .seed = options.seed,
                                      .believes_broker = true})
                                   .go());
  const Found found = MW_TRY(
      Plant({.folder = path / "plant", .agent = options.agent, .kills = options.trials, .seed = options.seed}).go());
  return nlohmann::ordered_json{{"name", "broker-kill"},
                                {"trials", options.trials},
                                {"failures", found.failures()},
                                {"control_caught", control.account.alerts_lost > 0},
                                {"seed", options.seed},
                                {"kills", found.kills},
                                {"kills_hub_away", found.kills_hub_away},
                                {"scores", found.account.strokes},
                                {"alerts", found.account.alerts},
                                {"alerts_lost", found.account.alerts_lost},
                                {"scores_lost", found.account.scores_lost},
                                {"duplicates", found.account.duplicates},
                                {"strange", found.account.strange},
                                {"refused", found.refused},
                                {"repeats", found.repeats},
                                {"not_drained", found.not_drained},
                                {"bad_exits", found.bad_exits},
                                {"control_alerts", control.account.alerts},
                                {"control_alerts_lost", control.account.alerts_lost}};
}

}  // namespace millwright::campaign
