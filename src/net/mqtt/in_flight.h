// SPDX-License-Identifier: Apache-2.0
// Messages that were sent and wait for an answer, by the packet id that the broker will answer with.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <unordered_map>

namespace millwright::net::mqtt {

// One thread.
class InFlight {
 public:
  struct Waiting {
    uint64_t token = 0;
    bool report = true;  // false: our own messages
    int64_t sent_ns = 0;
  };

  void add(int packet_id, const Waiting& waiting) {
    by_id_[packet_id] = waiting;
    order_.push_back({packet_id, waiting.sent_ns});
    ++sent_;
  }

  // The message that this answers; nothing where no such id is waiting.
  std::optional<Waiting> take(int packet_id) {
    const auto found = by_id_.find(packet_id);
    if (found == by_id_.end()) return std::nullopt;
    const Waiting waiting = found->second;
    by_id_.erase(found);
    while (!order_.empty() && !is_waiting(order_.front())) {
      order_.pop_front();
      ++left_;
    }
    return waiting;
  }

  [[nodiscard]] size_t size() const { return by_id_.size(); }
  [[nodiscard]] int64_t oldest_ns() const { return order_.empty() ? INT64_MAX : order_.front().sent_ns; }

  // Packet ids are 1 to 65,535 and come round: the oldest must be answered before its id is given out again.
  [[nodiscard]] bool ids_exhausted() const { return sent_ - left_ > kIdsInUse; }

  // Hands out what nobody will answer any more, oldest first.
  template <typename Function>
  void clear(Function&& function) {
    for (const Sent& sent : order_) {
      if (is_waiting(sent)) function(by_id_.at(sent.packet_id));
    }
    by_id_.clear();
    order_.clear();
    sent_ = left_ = 0;
  }

 private:
  struct Sent {
    int packet_id;
    int64_t sent_ns;
  };
  static constexpr uint64_t kIdsInUse = 60'000;

  [[nodiscard]] bool is_waiting(const Sent& sent) const {
    const auto found = by_id_.find(sent.packet_id);
    return found != by_id_.end() && found->second.sent_ns == sent.sent_ns;
  }

  std::unordered_map<int, Waiting> by_id_;
  std::deque<Sent> order_;  // with some that are answered already
  uint64_t sent_ = 0;
  uint64_t left_ = 0;
};

}  // namespace millwright::net::mqtt
