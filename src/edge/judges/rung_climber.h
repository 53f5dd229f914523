// SPDX-License-Identifier: Apache-2.0
// Climbs the provider ladder in the background, while a lower rung serves: tries each rung above in a child process
// from the top, builds the judge of the first that passes, and hands it over.
#pragma once

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/descriptor.h"
#include "edge/judge.h"
#include "edge/judges/bundle_judge.h"
#include "inference/ladder.h"
#include "model/bundle.h"

namespace millwright::edge {

struct ClimbOrder {
  std::string asset;
  std::shared_ptr<const model::LoadedBundle> bundle;  // proven on the CPU
  std::vector<inference::Rung> rungs;                 // from the top
};

// What the climber has to say, in its order.
struct ClimbNews {
  std::string asset;
  Digest digest;
  inference::RungFinding finding;
  std::unique_ptr<Judge> judge;  // of a rung that serves
  bool last = false;             // of its order
};

class RungClimber {
 public:
  explicit RungClimber(JudgeMaker maker);
  // Gives up the trial that runs; its child is killed.
  ~RungClimber();
  RungClimber(const RungClimber&) = delete;
  RungClimber& operator=(const RungClimber&) = delete;

  // Any thread. An order for the same asset that waits is replaced; one that is worked on is not.
  void order(ClimbOrder order);
  // What came since the last call.
  std::vector<ClimbNews> news();

 private:
  void run();
  void climb(const ClimbOrder& order);

  const JudgeMaker maker_;
  Descriptor cancel_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<ClimbOrder> orders_;
  std::vector<ClimbNews> news_;
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace millwright::edge
