// SPDX-License-Identifier: Apache-2.0
// The cloud side as a library: listens to all factories on one broker and keeps itself connected.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "net/mqtt/client.h"
#include "net/mqtt/fleet_reader.h"

namespace millwright::net::mqtt {

class FleetSubscriber final : private ClientEvents {
 public:
  // `options.filters` is ours. A session expiry lets the broker keep messages of QoS 1 while the hub restarts. `events`
  // must outlive this, and is called on one thread of this.
  static Result<std::unique_ptr<FleetSubscriber>> start(ClientOptions options, std::string prefix, FleetEvents& events);
  ~FleetSubscriber() override;

  void stop();
  // All of the filters were granted.
  [[nodiscard]] bool listening() const;
  [[nodiscard]] FleetFigures figures() const { return reader_.figures(); }
  [[nodiscard]] ClientFigures connection() const { return client_->figures(); }
  // Why nothing comes in, or not all of it; empty: it does.
  [[nodiscard]] std::string trouble() const;

  // Any thread: a command for a device. False: not taken; say it again.
  [[nodiscard]] bool command(std::string_view factory_id, const model::CommandMessage& command);

 private:
  FleetSubscriber(std::string prefix, FleetEvents& events) : prefix_(prefix), reader_(std::move(prefix), events) {}
  void on_disconnected(std::string_view why) override;
  void on_delivery(const Delivery& delivery) override { reader_.delivered(delivery); }
  void on_subscribed(std::string_view filter, const Status& result) override;
  void on_message(std::string_view topic, std::string_view payload, bool retained) override;

  std::string prefix_;
  FleetReader reader_;
  mutable std::mutex mutex_;
  std::mutex starting_;  // held until client_ is set
  size_t granted_ = 0;
  size_t wanted_ = 0;
  std::string refusal_;
  std::unique_ptr<Client> client_;  // last: its thread uses the others
};

}  // namespace millwright::net::mqtt
