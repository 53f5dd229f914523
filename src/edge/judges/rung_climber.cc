// SPDX-License-Identifier: Apache-2.0
#include "edge/judges/rung_climber.h"

#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>

#include "base/check.h"

namespace millwright::edge {
namespace {

constexpr int kBackground = 10;  // of nice: what it does can wait, the line cannot

}  // namespace

RungClimber::RungClimber(JudgeMaker maker)
    : maker_(std::move(maker)), cancel_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  MW_CHECK(cancel_.valid(), "a descriptor for an event is always to be had");
  thread_ = std::thread([this] { run(); });
}

RungClimber::~RungClimber() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  const uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = ::write(cancel_.get(), &one, sizeof(one));
  wake_.notify_one();
  thread_.join();
}

void RungClimber::order(ClimbOrder order) {
  {
    const std::lock_guard lock(mutex_);
    const auto same = std::ranges::find(orders_, order.asset, &ClimbOrder::asset);
    if (same != orders_.end()) {
      *same = std::move(order);
    } else {
      orders_.push_back(std::move(order));
    }
  }
  wake_.notify_one();
}

std::vector<ClimbNews> RungClimber::news() {
  const std::lock_guard lock(mutex_);
  return std::exchange(news_, {});
}

void RungClimber::run() {
  ::pthread_setname_np(::pthread_self(), "rung-climber");
  ::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), kBackground);
  std::unique_lock lock(mutex_);
  while (true) {
    wake_.wait(lock, [this] { return stop_ || !orders_.empty(); });
    if (stop_) return;
    const ClimbOrder order = std::move(orders_.front());
    orders_.pop_front();
    lock.unlock();
    climb(order);
    lock.lock();
  }
}

void RungClimber::climb(const ClimbOrder& order) {
  std::unique_ptr<Judge> judge;
  const auto try_one = [&](const inference::Rung& rung) -> Result<inference::TrialReport> {
    const auto report = MW_TRY(maker_.try_on(*order.bundle, rung, cancel_.get()));
    judge = MW_TRY(maker_.make(*order.bundle, rung));
    return report;
  };
  const auto tell = [&](size_t index, const inference::RungFinding& finding) {
    const std::lock_guard lock(mutex_);
    const bool serves = finding.state == inference::RungState::kServing;
    news_.push_back({.asset = order.asset,
                     .digest = order.bundle->digest,
                     .finding = finding,
                     .judge = serves ? std::move(judge) : nullptr,
                     .last = index + 1 == order.rungs.size() && finding.state != inference::RungState::kTrying});
  };
  (void)inference::climb(order.rungs, try_one, tell);
}

}  // namespace millwright::edge
