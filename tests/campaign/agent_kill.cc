// SPDX-License-Identifier: Apache-2.0
#include "campaign/agent_kill.h"

#include <algorithm>
#include <csignal>

#include <nlohmann/json.hpp>

#include "base/temporary_folder.h"
#include "campaign/fleet.h"
#include "net/mqtt/broker_fixture.h"

namespace millwright::campaign {
namespace {

using nlohmann::ordered_json;

constexpr double kPatienceS = 120.0;
constexpr double kDrainS = 300.0;
constexpr double kStrokesPerS = 60.0;
constexpr uint64_t kLongestLifeMs = 1500;
constexpr uint64_t kControlKills = 10;
constexpr uint64_t kDeafEvery = 4;  // so that a short run forgets alerts too

struct Found {
  Account account;
  uint64_t kills = 0;
  uint64_t repeats = 0;
  uint64_t refused = 0;
  uint64_t not_drained = 0;
  uint64_t bad_exits = 0;
  [[nodiscard]] uint64_t failures() const {
    return account.alerts_lost + account.scores_lost + account.duplicates + account.strange + refused + not_drained +
           bad_exits;
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
          {"repeats", found.repeats},
          {"refused", found.refused},
          {"not_drained", found.not_drained},
          {"bad_exits", found.bad_exits}};
}

// Strokes while nobody listened at the sensor's port are nobody's: what the journal says was decided is the measure.
Result<Found> kill_again_and_again(const BoxPlan& plan, uint64_t kills, uint64_t deaf_every) {
  net::mqtt::RealBroker broker("allow_anonymous true\npersistence true\n");
  broker.start();
  BoxPlan wanted = plan;
  wanted.broker_port = broker.port();
  std::filesystem::create_directories(plan.folder);
  Hub hub(broker.port(), plan.folder, deaf_every);
  hub.start();
  Random random(plan.seed);
  Found found;
  const auto box = MW_TRY(Box::start(wanted));
  while (found.kills < kills) {
    // Mostly it has come as far as to send; else it dies while it starts and mends what the last kill left.
    const bool waits = random.below(4) != 0;
    if (waits && !wait_until(kPatienceS, [&] { return box->connected(); })) {
      return fail(ErrorCode::kTimedOut, "the agent did not reach the broker within {} s; see {}", kPatienceS,
                  plan.folder.string());
    }
    pause_ms(random.below(kLongestLifeMs));
    if (!box->alive()) return fail(ErrorCode::kUnavailable, "the agent ended; see {}", plan.folder.string());
    box->kill();
    // The status that it left must not be taken for that of the next.
    std::filesystem::remove(plan.folder / "state" / "status.json");
    MW_CHECK_OK(box->begin_again());
    if (++found.kills % 50 == 0) {
      std::fprintf(stderr, "agent-kill: %lu of %lu kills, %lu scores, %lu alerts\n", found.kills, kills,
                   hub.scores_heard(), hub.alerts_heard());
    }
  }
  box->halt();
  const bool drained = wait_until(kDrainS, [&] {
    const auto uplink = box->uplink();
    return uplink.is_object() && uplink["connected"] == true && uplink["outbox"]["waiting"] == 0;
  });
  found.not_drained = drained ? 0 : 1;
  found.bad_exits = box->end() == 0 ? 0 : 1;
  found.account = settle(MW_TRY(read_records(box->records())), hub);
  found.repeats = hub.repeats();
  found.refused = hub.refused();
  return found;
}

}  // namespace

Result<ordered_json> run_agent_kill(const CampaignOptions& options) {
  const TemporaryFolder folder;
  BoxPlan plan{
      .folder = folder.path() / "run", .agent = options.agent, .strokes_per_s = kStrokesPerS, .seed = options.seed};
  const Found run = MW_TRY(kill_again_and_again(plan, options.trials, 0));
  plan.folder = folder.path() / "control";
  ++plan.seed;
  const Found control = MW_TRY(kill_again_and_again(plan, std::min(options.trials, kControlKills), kDeafEvery));
  return ordered_json{{"name", "agent-kill"},       {"trials", options.trials},
                      {"failures", run.failures()}, {"control_caught", control.account.alerts_lost > 0},
                      {"seed", options.seed},       {"run", to_json(run)},
                      {"control", to_json(control)}};
}

}  // namespace millwright::campaign
