// SPDX-License-Identifier: Apache-2.0
#include "campaign/soak_faults.h"

#include <poll.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <filesystem>
#include <fstream>

namespace millwright::campaign {
namespace {

constexpr std::array<const char*, 13> kNames = {"broker_frozen", "broker_killed", "broker_restarted", "network_cut",
                                                "hub_killed",    "sensor_flat",   "packets_lost",     "babble",
                                                "model_swap",    "bad_reload",    "scraper_hangs",    "page_hangs",
                                                "visitors_flood"};
constexpr size_t kFlood = 80;  // more than the server takes
constexpr uint64_t kMostLost = 40;

}  // namespace

Status SoakBroker::start() {
  std::filesystem::create_directories(folder_);
  std::ofstream(folder_ / "mosquitto.conf")
      << fmt::format("listener {} 127.0.0.1\nallow_anonymous true\npersistence true\npersistence_location {}/\n{}",
                     port_, folder_.string(), ::getuid() == 0 ? "user root\n" : "");
  process_.emplace(MW_TRY(ChildProcess::start(
      {.argv = {"/usr/sbin/mosquitto", "-c", folder_ / "mosquitto.conf"}, .out_file = folder_ / "log"})));
  constexpr int kTries = 500;
  for (int i = 0; i < kTries && !process_->poll(); ++i) {
    if (connect_to(port_).valid()) return {};
    ::poll(nullptr, 0, 20);
  }
  return fail(ErrorCode::kUnavailable, "mosquitto does not start; see {}", (folder_ / "log").string());
}

void SoakBroker::stop(int signal) {
  process_->signal(signal);
  process_->wait();
}

Status SoakHub::start() {
  process_.emplace(MW_TRY(ChildProcess::start({.argv = {plan_.programs / "millwright", "listen", "--host", "127.0.0.1",
                                                        "--port", std::to_string(port_), "--confirm-into", alerts()},
                                               .out_file = "/dev/null"})));
  return {};
}

void SoakHub::kill() {
  process_->signal(SIGKILL);
  process_->wait();
}

Status SoakFaults::begin() {
  if (round_.empty()) {
    for (size_t i = 0; i < static_cast<size_t>(Kind::kCount); ++i) round_.push_back(static_cast<Kind>(i));
    for (size_t i = round_.size(); i > 1; --i) std::swap(round_[i - 1], round_[random_.below(i)]);
  }
  present_ = round_.back();
  round_.pop_back();
  ++counts_[kNames[static_cast<size_t>(present_)]];
  return start_of(present_);
}

Status SoakFaults::start_of(Kind kind) {
  const size_t asset = random_.below(kSoakAssets);
  const uint16_t http = world_.plan.http_port;
  switch (kind) {
    case Kind::kBrokerFrozen: world_.broker.signal(SIGSTOP); break;
    case Kind::kBrokerKilled: world_.broker.stop(SIGKILL); break;
    case Kind::kBrokerRestarted: world_.broker.stop(SIGTERM); break;
    case Kind::kNetworkCut: world_.network.unplug(true); break;
    case Kind::kHubKilled: world_.hub.kill(); break;
    case Kind::kSensorFlat: world_.plant.flatten(asset); break;
    case Kind::kPacketsLost: world_.plant.lose(asset, 1 + random_.below(kMostLost)); break;
    case Kind::kBabble:
      for (int i = 0; i < 200; ++i) {
        std::string bytes(random_.below(1500), '\0');
        for (char& byte : bytes) byte = static_cast<char>(random_.bits());
        world_.plant.babble(asset, bytes);
      }
      break;
    case Kind::kModelSwap:
      second_bundle_ = !second_bundle_;
      MW_CHECK_OK(put_bundle(world_.plan, second_bundle_));
      world_.agent.signal(SIGHUP);
      break;
    case Kind::kBadReload:
      std::ofstream(world_.plan.folder / "press.bundle") << "no bundle";
      world_.agent.signal(SIGHUP);
      break;
    case Kind::kScraperHangs: visitors_.emplace().send_and_hang(http, "GET /metrics HTTP/1.1\r\nHost: 127.0", 5); break;
    case Kind::kPageHangs:
      visitors_.emplace().send_and_hang(http, "GET /events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", 5);
      break;
    case Kind::kVisitorsFlood: visitors_.emplace().send_and_hang(http, "G", kFlood); break;
    case Kind::kCount: break;
  }
  return {};
}

Status SoakFaults::end() {
  switch (std::exchange(present_, Kind::kCount)) {
    case Kind::kBrokerFrozen: world_.broker.signal(SIGCONT); break;
    case Kind::kBrokerKilled:
    case Kind::kBrokerRestarted: return world_.broker.start();
    case Kind::kNetworkCut: world_.network.unplug(false); break;
    case Kind::kHubKilled: return world_.hub.start();
    case Kind::kSensorFlat: world_.plant.flatten(kSoakAssets); break;
    case Kind::kBadReload:
      MW_CHECK_OK(put_bundle(world_.plan, second_bundle_));
      world_.agent.signal(SIGHUP);
      break;
    default: break;
  }
  visitors_.reset();
  return {};
}

}  // namespace millwright::campaign
