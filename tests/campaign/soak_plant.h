// SPDX-License-Identifier: Apache-2.0
// The machines of the soak: converters that send one packet per stroke, models trained on what they send, and the
// configuration of the agent that watches them.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include <nlohmann/json.hpp>

#include "base/descriptor.h"
#include "base/error.h"
#include "base/random.h"

namespace millwright::campaign {

inline constexpr size_t kSoakAssets = 4;
inline constexpr size_t kSoakFrames = 256;              // of one stroke, and of its packet
inline constexpr double kSoakStrokesPerSecond = 100.0;  // of all assets together
inline constexpr int64_t kSoakDeadlineMs = 500;

inline constexpr double kSoakRateHz = kSoakFrames * kSoakStrokesPerSecond / kSoakAssets;

// A damped mode with noise; a second mode and more noise where the die is bad.
void make_soak_stroke(Random& random, bool abnormal, std::span<float> samples);
std::string soak_asset(size_t index);  // "press-1"

struct SoakPlan {
  std::filesystem::path folder;
  std::filesystem::path programs;  // where millwright and millwright-agent are
  uint64_t seed = 0;
  uint16_t http_port = 0;
  uint16_t mqtt_port = 0;
  std::vector<uint16_t> udp_ports;
  std::string more;  // of each asset's configuration
};

// A folder, and ports for all but the broker.
SoakPlan make_plan(const std::filesystem::path& programs, uint64_t seed);
uint16_t free_port(int type);
// What the agent has written last; empty where there is nothing.
nlohmann::json status_of(const SoakPlan& plan);
// False: it did not come true within `patience_s`.
bool eventually(const std::function<bool()>& done, double patience_s = 180.0);

// Trains `folder`/a.bundle and b.bundle, and puts the first in place as press.bundle.
Status train_bundles(const SoakPlan& plan);
// The other bundle takes the place of the present one, whole or not at all.
Status put_bundle(const SoakPlan& plan, bool second);
std::filesystem::path write_agent_config(const SoakPlan& plan);

// Sends the strokes of all assets at their pace, on a thread of its own; one in fifty is abnormal.
class SoakPlant {
 public:
  SoakPlant(const std::vector<uint16_t>& ports, uint64_t seed);
  ~SoakPlant();
  SoakPlant(const SoakPlant&) = delete;
  SoakPlant& operator=(const SoakPlant&) = delete;

  // Until then this asset's sensor shows a flat line (nobody: kSoakAssets).
  void flatten(size_t asset) { flat_ = asset; }
  // So many of this asset's next packets are lost on their way; its counter goes on.
  void lose(size_t asset, uint64_t packets) { lost_[asset] = packets; }
  // Something that is no packet.
  void babble(size_t asset, const std::string& bytes);
  // Ends the strokes. The last of each asset arrives for sure.
  void stop();
  [[nodiscard]] uint64_t cycles(size_t asset) const { return cycles_[asset]; }

 private:
  void run();
  void stroke(size_t asset, bool arrives);

  std::vector<uint16_t> ports_;
  Descriptor socket_;
  Random random_;
  std::vector<std::atomic<uint64_t>> cycles_;
  std::vector<std::atomic<uint64_t>> lost_;
  std::atomic<size_t> flat_{kSoakAssets};
  std::atomic<bool> stopped_{false};
  std::thread thread_;
};

}  // namespace millwright::campaign
