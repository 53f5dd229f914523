// SPDX-License-Identifier: Apache-2.0
// The thread that waits for servers, disks and trials, so that nobody else does. One thing at a time; what it found is
// fetched by the control thread.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "base/descriptor.h"
#include "base/error.h"

namespace millwright::edge {

class UpdateWorker {
 public:
  // Its argument becomes readable when nobody wants the result any more.
  using Work = std::function<Status(int cancel_fd)>;
  struct Done {
    uint64_t id = 0;
    Status how;
  };

  UpdateWorker();
  // Gives up what runs.
  ~UpdateWorker();
  UpdateWorker(const UpdateWorker&) = delete;
  UpdateWorker& operator=(const UpdateWorker&) = delete;

  // The control thread: the work's number, which its Done carries.
  uint64_t order(Work work);
  // It is not begun, or given up; its Done never comes.
  void cancel(uint64_t id);
  // What has ended since the last call.
  std::vector<Done> done();

 private:
  struct Job {
    uint64_t id = 0;
    Work work;
  };
  void run();

  Descriptor cancel_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Job> jobs_;
  std::vector<Done> done_;
  uint64_t last_id_ = 0;
  uint64_t running_ = 0;  // 0: none
  bool given_up_ = false;
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace millwright::edge
