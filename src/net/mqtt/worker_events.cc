// SPDX-License-Identifier: Apache-2.0
// What the worker makes of what its connection hears, and of its end.
#include <algorithm>

#include "net/mqtt/worker.h"

namespace millwright::net::mqtt {

void Client::Worker::give_back(std::string_view why) {
  std::deque<Message> unsent;
  {
    const std::lock_guard lock(mutex_);
    connected_ = false;
    unsent.swap(queue_);
    queued_bytes_ = 0;
    last_error_ = why;
  }
  in_flight_.clear([this](const InFlight::Waiting& waiting) {
    if (waiting.report) report({.token = waiting.token, .outcome = Outcome::kUnanswered});
  });
  counters_.in_flight.store(0, std::memory_order_relaxed);
  for (const Message& message : unsent) report({.token = message.token, .outcome = Outcome::kUnanswered});
  events_->on_disconnected(why);
}

// Two programs with one client id throw each other out in turn, and a broker need not say why it closes.
void Client::Worker::guess(Status& ended, int64_t lasted_ns) {
  constexpr int64_t kSoonNs = 60'000'000'000;
  constexpr int kTimes = 3;
  const bool closed = accepted_ && !ended && ended.error().message.ends_with("closed the connection");
  thrown_out_ = closed && lasted_ns < kSoonNs ? std::min(thrown_out_ + 1, kTimes) : 0;
  if (thrown_out_ == kTimes) ended.error().message += " soon after it accepted this client" + who_else(options_);
}

void Client::Worker::report(const Delivery& delivery) {
  std::atomic<uint64_t>& counter = delivery.outcome == Outcome::kAccepted  ? counters_.accepted
                                   : delivery.outcome == Outcome::kRefused ? counters_.refused
                                                                           : counters_.unanswered;
  counter.fetch_add(1, std::memory_order_relaxed);
  events_->on_delivery(delivery);
}

void Client::Worker::on_accepted() {
  accepted_ = true;
  counters_.connects.fetch_add(1, std::memory_order_relaxed);
  announce();
  {
    const std::lock_guard lock(mutex_);
    connected_ = true;
    last_error_.clear();
  }
  events_->on_connected();
}

void Client::Worker::on_answered(int packet_id, uint8_t reason) {
  const std::optional<InFlight::Waiting> waiting = in_flight_.take(packet_id);
  if (!waiting) {
    counters_.strange.fetch_add(1, std::memory_order_relaxed);
    return;
  }
  counters_.in_flight.store(in_flight_.size(), std::memory_order_relaxed);
  const bool refused = reason >= kReasonFirstError;
  if (!refused) worked_ = true;
  if (!waiting->report) {
    events_->on_status_answered(reason);
    return;
  }
  report({.token = waiting->token, .outcome = refused ? Outcome::kRefused : Outcome::kAccepted, .reason = reason});
}

void Client::Worker::on_subscribed(int packet_id, std::string_view codes) {
  if (packet_id != subscription_id_ || subscription_id_ == 0) {
    counters_.strange.fetch_add(1, std::memory_order_relaxed);
    return;
  }
  subscription_id_ = 0;
  if (codes.size() != options_.filters.size()) {
    fault_ =
        Error{ErrorCode::kCorrupt,
              fmt::format("broker {}:{} answered a subscription to {} filters with {} results; it does not keep to "
                          "MQTT 5",
                          options_.host, options_.port, options_.filters.size(), codes.size())};
    return;
  }
  for (size_t i = 0; i < codes.size(); ++i) {
    Status result;
    if (static_cast<uint8_t>(codes[i]) >= kReasonFirstError) {
      result = fail(ErrorCode::kRefused, "broker {}:{} refused the subscription to {}: {}", options_.host,
                    options_.port, options_.filters[i], reason_name(static_cast<uint8_t>(codes[i])));
    } else {
      worked_ = true;
    }
    events_->on_subscribed(options_.filters[i], result);
  }
}

void Client::Worker::on_inbound(std::string_view topic, std::string_view payload, bool retained) {
  counters_.received.fetch_add(1, std::memory_order_relaxed);
  counters_.received_bytes.fetch_add(payload.size(), std::memory_order_relaxed);
  if (payload.size() > options_.inbound_limit) {
    counters_.oversized.fetch_add(1, std::memory_order_relaxed);
    return;
  }
  events_->on_message(topic, payload, retained);
}

}  // namespace millwright::net::mqtt
