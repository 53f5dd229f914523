// SPDX-License-Identifier: Apache-2.0
#include "campaign/hostile_broker.h"

#include <algorithm>
#include <cmath>
#include <csignal>
#include <functional>
#include <thread>

#include <nlohmann/json.hpp>

#include "base/clock.h"
#include "base/temporary_folder.h"
#include "campaign/fault_proxy.h"
#include "campaign/fleet.h"
#include "net/mqtt/hostile_broker_fixture.h"

namespace millwright::campaign {
namespace {

using net::mqtt::HostileBroker;
using net::mqtt::RealBroker;
using net::mqtt::Wire;
using nlohmann::ordered_json;

constexpr uint64_t kMemoryLimit = 5 << 20;
constexpr double kAttemptsPerS = 1.0;
constexpr double kBackS = 240.0;
constexpr uint64_t kWarmUpMs = 2000;
constexpr uint64_t kCloseEveryMs = 5000;

enum class Way : uint8_t { kNeverAcknowledges, kForgets, kRefusesByList, kClosesEvery5s, kSendsGarbage, kBelieved };
constexpr std::array<const char*, 6> kWays = {"never-acknowledges", "acknowledges-and-forgets",
                                              "refuses-by-list",    "closes-every-5-s",
                                              "sends-garbage",      "control-believed"};

void swallow(Wire& wire) {
  while (wire.read()) {
  }
}

void answer_all(Wire& wire) {
  while (const auto packet = wire.read()) {
    // The box asks for two topics.
    const bool sent = packet->type == 8 ? wire.send("\x90\x05" + packet->id() + std::string("\x00\x01\x01", 3))
                                        : wire.answer(*packet);
    if (!sent) return;
  }
}

// Each connection is met with another kind of nonsense.
void send_garbage(Wire& wire, uint64_t turn, Random& random) {
  const std::string zero(1, '\0');
  if (turn % 6 == 5) {  // instead of a CONNACK
    wire.send(std::string("\x20\xFF\xFF\xFF\xFF\x7F", 6));
    return;
  }
  if (!wire.accept()) return;
  if (turn % 6 == 0) {  // a SUBACK without results
    for (auto packet = wire.read(); packet; packet = wire.read()) {
      if (packet->type == 8) wire.send("\x90\x03" + packet->id() + zero);
    }
  } else if (turn % 6 == 1) {  // answers to what was never asked
    for (int i = 0; i < 200 && wire.wait(10); ++i) {
      wire.send(std::string("\x40\x02\x77", 3) + static_cast<char>(random.bits()));
      wire.send(std::string("\x90\x04\x77\x34\x00\x01", 6));
    }
  } else if (turn % 6 == 2) {  // a length of a quarter of a gigabyte, and as much as the box will take of it
    wire.send("\x30\xFF\xFF\xFF\x7F");
    const std::string block(65536, 'x');
    while (wire.sent < (size_t{100} << 20) && wire.send(block)) {
    }
  } else if (turn % 6 == 3) {  // a topic that is not UTF-8
    wire.send(std::string("\x30\x07\x00\x02\xFF\xFE\x00pp", 9));
    swallow(wire);
  } else {
    std::string bytes;
    for (uint64_t i = 0; i < 400; ++i) bytes += static_cast<char>(random.below(3) == 0 ? 0 : random.bits());
    wire.send(bytes);
    swallow(wire);
  }
}

// How much a process has grown since `begin`, looked at often.
class Growth {
 public:
  explicit Growth(std::function<uint64_t()> resident) : resident_(std::move(resident)) {}
  void begin() { most_ = first_ = resident_(); }
  void look() { most_ = std::max(most_, resident_()); }
  [[nodiscard]] uint64_t bytes() const { return most_ - first_; }

 private:
  std::function<uint64_t()> resident_;
  uint64_t first_ = 0;
  uint64_t most_ = 0;
};

struct Trial {
  Way way = Way::kNeverAcknowledges;
  std::filesystem::path folder;
  std::filesystem::path agent;
  uint64_t seconds = 0;
  uint64_t seed = 0;
};

struct Finding {
  Account account;
  double attempts_per_s = 0.0;
  uint64_t grown_bytes = 0;
  double back_s = 0.0;  // until nothing waited any more beside the good broker
  uint64_t not_drained = 0, bad_exits = 0, ended = 0, refused = 0;

  [[nodiscard]] uint64_t failures(Way way) const {
    // Scores leave on a broker's word: what it forgets of them is gone, as stated.
    const uint64_t scores = way == Way::kForgets ? 0 : account.scores_lost;
    return account.alerts_lost + scores + account.duplicates + account.strange + not_drained + bad_exits + ended +
           refused + (attempts_per_s > kAttemptsPerS ? 1 : 0) + (grown_bytes > kMemoryLimit ? 1 : 0);
  }
};

class Theatre {
 public:
  Theatre(Trial trial, std::mutex& stage) : trial_(std::move(trial)), stage_(stage), proxy_(0), random_(trial_.seed) {}

  Result<Finding> play() {
    std::filesystem::create_directories(trial_.folder);
    // One after the other: a port that is free for two at once is taken by one.
    std::unique_lock one_at_a_time(stage_);
    good_.start();
    Hub hub(good_.port(), trial_.folder);
    hub.start();
    raise_enemy();
    const auto box = MW_TRY(Box::start({.folder = trial_.folder,
                                        .agent = trial_.agent,
                                        .broker_port = proxy_.port(),
                                        .alerts_leave_on = trial_.way == Way::kBelieved ? "puback" : "hub",
                                        .seed = trial_.seed}));
    one_at_a_time.unlock();
    suffer(*box);
    const int64_t begin = SystemClock().monotonic_ns();
    proxy_.redirect(good_.port());
    enemy_.reset();
    if (refusing_) refusing_->kill();
    box->halt();
    const bool drained = wait_until(kBackS, [&] {
      const auto uplink = box->uplink();
      return uplink["connected"] == true && uplink["outbox"]["waiting"] == 0;
    });
    finding_.back_s = static_cast<double>(SystemClock().monotonic_ns() - begin) / 1e9;
    finding_.not_drained = drained ? 0 : 1;
    finding_.ended = box->alive() ? 0 : 1;
    finding_.bad_exits = box->end() == 0 ? 0 : 1;
    finding_.account = settle(MW_TRY(read_records(box->records())), hub);
    finding_.refused = hub.refused();
    return finding_;
  }

 private:
  void raise_enemy() {
    uint16_t port = 0;
    switch (trial_.way) {
      case Way::kNeverAcknowledges:
        script([](Wire& wire) {
          if (wire.accept()) swallow(wire);
        });
        break;
      case Way::kForgets:
      case Way::kBelieved:
        script([](Wire& wire) {
          if (wire.accept()) answer_all(wire);
        });
        break;
      case Way::kSendsGarbage: script([this](Wire& wire) { send_garbage(wire, turn_++, random_); }); break;
      case Way::kClosesEvery5s: port = good_.port(); break;
      case Way::kRefusesByList:
        refusing_.emplace("allow_anonymous true\nacl_file {folder}/acl\n");
        refusing_->folder().write("acl", "topic readwrite factory/f/edge/#\n");
        refusing_->start();
        port = refusing_->port();
        break;
    }
    proxy_.redirect(enemy_ ? enemy_->port() : port);
  }
  void script(std::function<void(Wire&)> what) { enemy_.emplace(std::move(what)); }

  void suffer(Box& box) {
    Growth memory([&box] { return box.resident_bytes(); });
    const int64_t begin = SystemClock().monotonic_ns();
    const uint64_t attempts = proxy_.accepted();
    constexpr uint64_t kLookMs = 100;
    for (uint64_t ms = 0; ms < trial_.seconds * 1000 && box.alive(); ms += kLookMs) {
      pause_ms(kLookMs);
      if (ms < kWarmUpMs) {
        memory.begin();
      } else {
        memory.look();
      }
      if (trial_.way == Way::kClosesEvery5s && (ms + kLookMs) % kCloseEveryMs == 0) proxy_.arm(LinkFault::kCut, 0);
    }
    const double passed_s = static_cast<double>(SystemClock().monotonic_ns() - begin) / 1e9;
    finding_.attempts_per_s = static_cast<double>(proxy_.accepted() - attempts) / passed_s;
    finding_.grown_bytes = memory.bytes();
  }

  const Trial trial_;
  std::mutex& stage_;
  FaultProxy proxy_;
  Random random_;
  uint64_t turn_ = 0;  // the enemy's thread only
  RealBroker good_;
  std::optional<RealBroker> refusing_;
  std::optional<HostileBroker> enemy_;
  Finding finding_;
};

// What each limit is there to find, done on purpose.
bool storm_is_seen(uint64_t seed) {
  HostileBroker broker([](Wire&) {});
  net::mqtt::ClientEvents nobody;
  net::mqtt::ClientOptions hasty = net::mqtt::options_for(broker.port(), "hasty");
  hasty.seed = seed;
  hasty.backoff_limit_ms = hasty.backoff_first_ms;
  const auto client = net::mqtt::Client::start(hasty, nobody);
  pause_ms(1000);
  return static_cast<double>(broker.connections().size()) > kAttemptsPerS;
}

bool growth_is_seen() {
  Growth memory([] { return static_cast<uint64_t>(net::mqtt::resident_bytes()); });
  memory.begin();
  const std::string fat(2 * kMemoryLimit, 'x');
  memory.look();
  return fat.back() == 'x' && memory.bytes() > kMemoryLimit;
}

ordered_json to_json(const Finding& found, Way way) {
  return {{"failures", found.failures(way)},
          {"attempts_per_s", std::round(found.attempts_per_s * 1000.0) / 1000.0},
          {"grown_kib", found.grown_bytes >> 10},
          {"scores", found.account.strokes},
          {"alerts", found.account.alerts},
          {"scores_lost", found.account.scores_lost},
          {"alerts_lost", found.account.alerts_lost},
          {"duplicates", found.account.duplicates},
          {"back_s", std::round(found.back_s * 10.0) / 10.0}};
}

}  // namespace

Result<ordered_json> run_hostile_broker(const CampaignOptions& options) {
  const TemporaryFolder folder;
  std::array<Result<Finding>, kWays.size()> found;
  std::mutex stage;
  std::vector<std::thread> theatres;
  for (size_t i = 0; i < kWays.size(); ++i) {
    theatres.emplace_back([&, i] {
      found[i] = Theatre({.way = static_cast<Way>(i),
                          .folder = folder.path() / kWays[i],
                          .agent = options.agent,
                          .seconds = options.trials,
                          .seed = options.seed + i},
                         stage)
                     .play();
    });
  }
  for (std::thread& theatre : theatres) theatre.join();
  const bool storm = storm_is_seen(options.seed);
  const bool growth = growth_is_seen();
  uint64_t failures = 0;
  ordered_json brokers;
  for (size_t i = 0; i < kWays.size(); ++i) {
    const auto way = static_cast<Way>(i);
    const Finding one = MW_TRY(std::move(found[i]));
    if (way != Way::kBelieved) failures += one.failures(way);
    brokers[kWays[i]] = to_json(one, way);
  }
  const bool caught = brokers[kWays.back()]["alerts_lost"] > 0 && storm && growth;
  return ordered_json{{"name", "hostile-broker"}, {"trials", options.trials}, {"failures", failures},
                      {"control_caught", caught}, {"seed", options.seed},     {"control_storm", storm},
                      {"control_growth", growth}, {"brokers", brokers}};
}

}  // namespace millwright::campaign
