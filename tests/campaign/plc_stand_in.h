// SPDX-License-Identifier: Apache-2.0
// Stands in for the stroke loop where a million verdicts have to cross the link: its verdicts are reckoned from the
// part's number, so that whoever reads one can tell whose it is.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <thread>

#include "base/descriptor.h"
#include "edge/output.h"
#include "edge/plc/registers.h"

namespace millwright::campaign {

inline constexpr int64_t kInspectWindowNs = 20'000'000;

// What is decided about a part; it depends on nothing else.
edge::OutputState verdict_of(uint64_t cycle, uint64_t seed);
// Whether a block is the one of its stroke, whole, and not made of two.
bool is_whole(const edge::plc::Block& block, uint64_t seed);
bool is_of(const edge::plc::Block& block, uint64_t cycle, uint64_t seed);

class StandIn {
 public:
  // `echoes_newest`: broken on purpose, it answers in the name of the newest trigger.
  StandIn(edge::Output& output, uint64_t seed, bool echoes_newest);
  ~StandIn();
  StandIn(const StandIn&) = delete;
  StandIn& operator=(const StandIn&) = delete;

  // Cycles come in their order, from 1.
  void trigger(uint64_t cycle);
  // When the verdict of a recent cycle was stored; 0: not yet.
  [[nodiscard]] int64_t stored_ns(uint64_t cycle) const;

 private:
  static constexpr size_t kKept = 64;
  struct Stored {
    std::atomic<uint64_t> cycle{0};
    std::atomic<int64_t> at_ns{0};
  };
  void run();
  void open_triggered();
  void decide(uint64_t cycle);
  void wake() const;

  edge::Output& output_;
  uint64_t seed_;
  bool echoes_newest_;
  Descriptor event_;
  std::atomic<uint64_t> triggered_{0};
  uint64_t opened_ = 0;
  std::array<Stored, kKept> stored_;
  std::atomic<bool> stopped_{false};
  std::thread thread_;
};

}  // namespace millwright::campaign
