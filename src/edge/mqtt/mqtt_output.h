// SPDX-License-Identifier: Apache-2.0
// The verdict as a message of its own, as soon as it is decided, for whoever asked by MQTT or listens there. It is not
// kept: a verdict that could not be sent in time is of no use to a machine. FORMAT.md has the messages.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>

#include "base/error.h"
#include "base/spsc_queue.h"
#include "edge/output.h"
#include "net/mqtt/client.h"

namespace millwright::edge {

struct MqttOutputOptions {
  net::mqtt::ClientOptions broker;
  std::string topic;  // verdicts; below it: /status, retained, and /heartbeat, once a second
  std::string asset_id;
  int qos = 1;
  FailSafe on_death = FailSafe::kStop;  // told to the far side
};

class MqttOutput final : public Output, private net::mqtt::ClientEvents {
 public:
  // Begins to connect, and goes on trying. An error only where the options can never work.
  static Result<std::unique_ptr<MqttOutput>> create(MqttOutputOptions options);
  ~MqttOutput() override;

  void drive(const OutputState& state) noexcept override;
  void stands(bool stop, bool alarm) noexcept override;
  void heartbeat(uint64_t beat) noexcept override;
  [[nodiscard]] std::optional<OutputLink> link() const override;

 private:
  struct Word {
    OutputState state;
    uint64_t beat = 0;  // above 0: only this
  };
  explicit MqttOutput(MqttOutputOptions options) : options_(std::move(options)) {}
  void say(const Word& word) noexcept;
  void drain();
  [[nodiscard]] net::mqtt::Message message(const Word& word) const;
  // On the client's thread.
  void on_connected() override;
  void on_nudged() override { drain(); }
  void on_delivery(const net::mqtt::Delivery& delivery) override;

  static constexpr size_t kQueue = 1024;
  const MqttOutputOptions options_;
  OutputState state_;  // the stroke thread only: what was said last
  SpscQueue<Word> queue_{kQueue};
  std::atomic<uint64_t> unsaid_{0};  // found no room, or came back unanswered
  std::optional<Word> next_;         // the client's thread only: taken, and not published yet
  std::unique_ptr<net::mqtt::Client> client_;
  std::atomic<net::mqtt::Client*> started_{nullptr};  // the same, for its own thread
};

// How the messages look.
std::string verdict_message(const std::string& asset_id, const OutputState& state);

// For `--check`.
Status check_output(const MqttOutputOptions& options);

}  // namespace millwright::edge
