// SPDX-License-Identifier: Apache-2.0
// The output as lines on stdout, for a person. A thread of its own prints; a slow terminal loses lines, never a stroke.
#pragma once

#include <atomic>
#include <string>
#include <thread>

#include "base/spsc_queue.h"
#include "edge/output.h"

namespace millwright::edge {

class ConsoleOutput final : public Output {
 public:
  explicit ConsoleOutput(std::string asset_id);
  ~ConsoleOutput() override;
  ConsoleOutput(const ConsoleOutput&) = delete;
  ConsoleOutput& operator=(const ConsoleOutput&) = delete;

  void drive(const OutputState& state) noexcept override;
  void heartbeat(uint64_t) noexcept override {}

 private:
  void run();
  void print_waiting();

  std::string asset_id_;
  SpscQueue<OutputState> waiting_;
  std::atomic<uint64_t> lost_{0};
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

}  // namespace millwright::edge
