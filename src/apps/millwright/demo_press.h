// SPDX-License-Identifier: Apache-2.0
// The four presses of the demo: what each is there to show, and its part of the agent's configuration.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace millwright::apps {

struct DemoPress {
  std::string name;
  std::string story;
  uint64_t wear_from = 0;   // stroke at which wear begins; 0: it does not wear
  uint64_t failure = 0;     // stroke at which the die breaks
  uint64_t loose_from = 0;  // stroke at which the sensor comes loose; 0: it stays
  uint64_t seed = 1;
};

inline constexpr uint64_t kDemoTrainingStrokes = 600;
inline constexpr uint64_t kDemoStrokes = 3'000;         // training included
inline constexpr double kDemoStrokesPerMinute = 3'000;  // of each press: time enough for a broker to be away
inline constexpr double kRealStrokesPerMinute = 18;
inline constexpr double kDemoRateHz = 10'000.0;
inline constexpr size_t kDemoWindow = 2'000;
inline constexpr double kDemoDeadlineMs = 3'300.0;

// A path as a TOML string, quotes included: its folder may have any legal name.
std::string toml_text(const std::filesystem::path& path);

std::vector<DemoPress> demo_presses();

// The agent's configuration for these presses. Without bundles it collects the first strokes for training; with them
// (one per press, BUNDLES/NAME.bundle) it goes on at the next stroke and decides.
struct DemoPhase {
  bool collect = true;
  std::filesystem::path state;
  std::filesystem::path training;  // NAME/ gets the collected windows
  std::filesystem::path bundles;
  std::string link;  // [http] and [mqtt]; empty: none
};
std::string demo_config(const std::vector<DemoPress>& presses, const DemoPhase& phase);

}  // namespace millwright::apps
