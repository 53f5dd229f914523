// SPDX-License-Identifier: Apache-2.0
#include "edge/mqtt/mqtt_output.h"

#include <cmath>

#include "model/verdict.h"
#include "signal/health.h"

namespace millwright::edge {
namespace {

constexpr uint64_t kBeatsPerMessage = 10;  // one comes at least every 100 ms

net::mqtt::ClientOptions client_options(const MqttOutputOptions& options) {
  net::mqtt::ClientOptions client = options.broker;
  client.queue_messages = 256;
  client.status_topic = options.topic + "/status";
  client.status = [asset_id = options.asset_id, on_death = options.on_death](bool online) {
    return fmt::format(R"({{"asset_id":"{}","status":"{}","on_death":"{}"}})", asset_id, online ? "online" : "offline",
                       name(on_death));
  };
  return client;
}

}  // namespace

std::string verdict_message(const std::string& asset_id, const OutputState& state) {
  const std::string score = std::isfinite(state.score) ? fmt::format("{:.4f}", state.score) : "null";
  return fmt::format(
      R"({{"asset_id":"{}","stroke_id":{},"plc_cycle":{},"verdict":"{}","reason":"{}","score":{},"severity":"{}",)"
      R"("sensor_fault":"{}","stop":{},"alarm":{}}})",
      asset_id, state.stroke_id, state.plc_cycle, model::name(state.verdict), model::name(state.reason), score,
      model::name(state.severity), signal::name(state.sensor_fault), state.stop, state.alarm);
}

Result<std::unique_ptr<MqttOutput>> MqttOutput::create(MqttOutputOptions options) {
  std::unique_ptr<MqttOutput> output(new MqttOutput(std::move(options)));
  output->client_ = MW_TRY(net::mqtt::Client::start(client_options(output->options_), *output));
  output->started_.store(output->client_.get(), std::memory_order_release);
  output->client_->nudge();
  return output;
}

MqttOutput::~MqttOutput() {
  if (client_) client_->stop();
}

void MqttOutput::say(const Word& word) noexcept {
  if (!queue_.try_push(word)) {
    unsaid_.fetch_add(1, std::memory_order_relaxed);
    return;
  }
  client_->nudge();
}

void MqttOutput::drive(const OutputState& state) noexcept {
  state_ = state;
  say({.state = state});
}

void MqttOutput::stands(bool stop, bool alarm) noexcept {
  state_.stop = stop;
  state_.alarm = alarm;
  say({.state = state_});
}

void MqttOutput::heartbeat(uint64_t beat) noexcept {
  if (beat % kBeatsPerMessage == 0) say({.state = {}, .beat = beat});
}

net::mqtt::Message MqttOutput::message(const Word& word) const {
  if (word.beat > 0) {
    return {.topic = options_.topic + "/heartbeat",
            .payload = fmt::format(R"({{"asset_id":"{}","beat":{}}})", options_.asset_id, word.beat),
            .qos = 0};
  }
  return {.topic = options_.topic, .payload = verdict_message(options_.asset_id, word.state), .qos = options_.qos};
}

// What nobody could be told in time is told no more; the newest word says how things stand.
void MqttOutput::on_connected() {
  std::optional<Word> newest;
  uint64_t passed_over = next_ ? 1 : 0;
  next_.reset();
  while (const auto word = queue_.try_pop()) {
    if (word->beat > 0) continue;
    if (newest) ++passed_over;
    newest = word;
  }
  unsaid_.fetch_add(passed_over, std::memory_order_relaxed);
  next_ = newest;
  drain();
}

void MqttOutput::drain() {
  net::mqtt::Client* const client = started_.load(std::memory_order_acquire);
  while (client != nullptr) {
    if (!next_) next_ = queue_.try_pop();
    // The rest waits for a delivery, which makes room.
    if (!next_ || client->room() == 0 || !client->publish(message(*next_))) return;
    next_.reset();
  }
}

void MqttOutput::on_delivery(const net::mqtt::Delivery& delivery) {
  if (delivery.outcome != net::mqtt::Outcome::kAccepted) unsaid_.fetch_add(1, std::memory_order_relaxed);
  if (next_) drain();
}

std::optional<OutputLink> MqttOutput::link() const {
  const net::mqtt::ClientFigures figures = client_->figures();
  return OutputLink{.up = figures.connected,
                    .connects = figures.connects,
                    .transactions = figures.accepted,
                    .refused = unsaid_.load(std::memory_order_relaxed),
                    .last_error = figures.connected ? std::string() : client_->last_error()};
}

Status check_output(const MqttOutputOptions& options) {
  constexpr int64_t kProbeMs = 5'000;
  return net::mqtt::probe(client_options(options), kProbeMs);
}

}  // namespace millwright::edge
