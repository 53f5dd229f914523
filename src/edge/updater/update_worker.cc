// SPDX-License-Identifier: Apache-2.0
#include "edge/updater/update_worker.h"

#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>

#include "base/check.h"

namespace millwright::edge {
namespace {

constexpr int kBackground = 10;  // of nice: an update can wait, the line cannot

}  // namespace

UpdateWorker::UpdateWorker() : cancel_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  MW_CHECK(cancel_.valid(), "a descriptor for an event is always to be had");
  thread_ = std::thread([this] { run(); });
}

UpdateWorker::~UpdateWorker() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
    ::eventfd_write(cancel_.get(), 1);
  }
  wake_.notify_one();
  thread_.join();
}

uint64_t UpdateWorker::order(Work work) {
  uint64_t id = 0;
  {
    const std::lock_guard lock(mutex_);
    id = ++last_id_;
    jobs_.push_back({.id = id, .work = std::move(work)});
  }
  wake_.notify_one();
  return id;
}

void UpdateWorker::cancel(uint64_t id) {
  const std::lock_guard lock(mutex_);
  std::erase_if(jobs_, [&](const Job& job) { return job.id == id; });
  std::erase_if(done_, [&](const Done& done) { return done.id == id; });
  if (running_ != id || id == 0) return;
  given_up_ = true;
  ::eventfd_write(cancel_.get(), 1);
}

std::vector<UpdateWorker::Done> UpdateWorker::done() {
  const std::lock_guard lock(mutex_);
  return std::exchange(done_, {});
}

void UpdateWorker::run() {
  ::pthread_setname_np(::pthread_self(), "updates");
  ::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), kBackground);
  std::unique_lock lock(mutex_);
  while (true) {
    wake_.wait(lock, [this] { return stop_ || !jobs_.empty(); });
    if (stop_) return;
    Job job = std::move(jobs_.front());
    jobs_.pop_front();
    running_ = job.id;
    given_up_ = false;
    lock.unlock();
    Status how = job.work(cancel_.get());
    lock.lock();
    if (!given_up_ && !stop_) done_.push_back({.id = running_, .how = std::move(how)});
    running_ = 0;
    if (eventfd_t count = 0; given_up_) ::eventfd_read(cancel_.get(), &count);
  }
}

}  // namespace millwright::edge
