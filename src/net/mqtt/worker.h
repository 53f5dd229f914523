// SPDX-License-Identifier: Apache-2.0
// The thread of an MQTT client: attempts, backoff, queue, in-flight window, deadlines.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <thread>

#include "base/descriptor.h"
#include "net/mqtt/backoff.h"
#include "net/mqtt/client.h"
#include "net/mqtt/connection.h"
#include "net/mqtt/in_flight.h"

namespace millwright::net::mqtt {

class Client::Worker final : public ConnectionEvents, public std::enable_shared_from_this<Client::Worker> {
 public:
  Worker(ClientOptions options, ClientEvents& events);

  void begin();
  void stop();
  [[nodiscard]] bool connected() const;
  [[nodiscard]] size_t room() const;
  [[nodiscard]] bool publish(Message message);
  void nudge() noexcept;
  [[nodiscard]] ClientFigures figures() const;
  [[nodiscard]] std::string last_error() const;

 private:
  // Who may do what while stop() waits: a thread within the system's connect holds nothing of ours and is left behind.
  enum class Phase { kWaiting, kOpening, kServing, kFinished };

  struct Counters {
    std::atomic<uint64_t> attempts{0}, connects{0}, accepted{0}, refused{0}, unanswered{0}, sent_bytes{0}, received{0},
        received_bytes{0}, oversized{0}, strange{0}, in_flight{0};
  };

  void run();
  bool wait_ns(int64_t nanoseconds);
  bool enter(Phase phase);
  bool stopping() const;
  void attempt();
  Status serve();
  Status wait_and_move();
  int poll_timeout_ms() const;
  Status check_deadlines();
  void send_queued();
  void send(const Message& message, bool wanted);
  void announce();
  void say_goodbye();
  void give_back(std::string_view why);
  void guess(Status& ended, int64_t lasted_ns);
  void report(const Delivery& delivery);
  void wake() noexcept;
  [[nodiscard]] bool can_send() const;
  Status write();
  Status read();
  void drain_wake();

  // ConnectionEvents
  void on_accepted() override;
  void on_answered(int packet_id, uint8_t reason) override;
  void on_subscribed(int packet_id, std::string_view codes) override;
  void on_inbound(std::string_view topic, std::string_view payload, bool retained) override;

  const ClientOptions options_;
  ClientEvents* const events_;
  Descriptor wake_;
  std::atomic<bool> nudged_{false};
  std::thread thread_;
  Counters counters_;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Message> queue_;
  size_t queued_bytes_ = 0;
  bool connected_ = false;
  bool stopping_ = false;
  bool abandoned_ = false;
  Phase phase_ = Phase::kWaiting;
  std::string last_error_;

  // Of the thread alone.
  Backoff backoff_;
  std::optional<Connection> connection_;
  InFlight in_flight_;
  bool accepted_ = false;
  int64_t emptied_ns_ = 0;  // when the socket was last seen empty
  bool worked_ = false;
  int thrown_out_ = 0;       // connections in a row that were accepted and closed soon after
  int subscription_id_ = 0;  // 0: none is waiting
  int64_t subscribed_ns_ = 0;
  int64_t attempt_ns_ = 0;
  int64_t kept_alive_ns_ = 0;
  std::optional<Error> fault_;  // found within a callback
};

}  // namespace millwright::net::mqtt
