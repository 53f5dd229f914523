// SPDX-License-Identifier: Apache-2.0
// Samples from a broker's topic: whole windows without a header, or packets as by UDP. FORMAT.md has both. A broker
// that is gone is named by link(); the strokes of that time are nobody's, since nobody knows of them.
#pragma once

#include <memory>
#include <mutex>
#include <string>

#include "base/clock.h"
#include "base/error.h"
#include "edge/mqtt/sample_inbox.h"
#include "edge/source.h"
#include "edge/waiter.h"
#include "net/mqtt/client.h"

namespace millwright::edge {

struct MqttSourceOptions {
  net::mqtt::ClientOptions broker;  // the source subscribes by itself
  std::string topic;
  InboxOptions inbox;
};

class MqttSource final : public SampleSource, private net::mqtt::ClientEvents {
 public:
  // Begins to connect, and goes on trying. An error only where the options can never work.
  static Result<std::unique_ptr<MqttSource>> create(MqttSourceOptions options, const Clock& clock);
  ~MqttSource() override;

  [[nodiscard]] SourceShape shape() const override { return {options_.inbox.payload.channels, options_.inbox.rate_hz}; }
  Block next(size_t max_frames, int64_t until_ns) override;
  void stop() noexcept override { waiter_.stop(); }
  [[nodiscard]] bool live() const override { return true; }
  [[nodiscard]] const SourceCounters& counters() const override { return inbox_.counters(); }
  std::optional<std::string> refusal() override { return inbox_.refusal(); }
  [[nodiscard]] std::optional<SourceLink> link() const override;

 private:
  MqttSource(MqttSourceOptions options, const Clock& clock);
  // On the client's thread.
  void on_connected() override {}
  void on_disconnected(std::string_view why) override;
  void on_subscribed(std::string_view filter, const Status& result) override;
  void on_reading(int64_t emptied_ns) override { emptied_ns_ = emptied_ns; }
  void on_message(std::string_view topic, std::string_view payload, bool retained) override;

  const MqttSourceOptions options_;
  const Clock& clock_;
  SampleInbox inbox_;
  Waiter waiter_;
  int64_t emptied_ns_ = 0;  // the client's thread only
  mutable std::mutex mutex_;
  bool subscribed_ = false;
  uint64_t subscriptions_ = 0;
  std::string why_;
  std::unique_ptr<net::mqtt::Client> client_;  // last: its thread uses the others
};

// For `--check`: whether the broker lets this box in, and lets it hear the topic.
Status check_source(const MqttSourceOptions& options);

}  // namespace millwright::edge
