// SPDX-License-Identifier: Apache-2.0
// What the hub makes of the messages of all factories: checked, sorted, told once, acknowledged. Any bytes may come in.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>

#include "model/telemetry.h"
#include "net/mqtt/message.h"
#include "net/mqtt/seen_messages.h"

namespace millwright::net::mqtt {

// Called on the thread that reads. `payload` is the message as it came, and ends with the call.
class FleetEvents {
 public:
  virtual ~FleetEvents() = default;
  // True: stored for good (a power cut keeps it), and the device may forget it. False: not; it will come again.
  virtual bool on_alert(const model::StrokeMessage& message, std::string_view payload) = 0;
  virtual void on_score(const model::StrokeMessage& /*message*/, std::string_view /*payload*/) {}
  virtual void on_health(const model::TopicParts& /*from*/, const model::HealthMessage& /*message*/) {}
  virtual void on_features(const model::TopicParts& /*from*/, const model::FeaturesMessage& /*message*/,
                           std::string_view /*payload*/) {}
  virtual void on_status(const model::TopicParts& /*from*/, const model::StatusMessage& /*message*/) {}
  // A message that was refused, and why. Nothing in `topic` is to be trusted.
  virtual void on_refused(std::string_view /*topic*/, const Error& /*why*/) {}
  // The broker refused an acknowledgement, by a reason of MQTT 5: the device keeps its alert, and sends it again.
  virtual void on_ack_refused(uint8_t /*reason*/) {}
};

struct FleetFigures {
  uint64_t alerts = 0;
  uint64_t scores = 0;
  uint64_t health = 0;
  uint64_t features = 0;
  uint64_t status = 0;
  uint64_t duplicates = 0;
  uint64_t refused = 0;
  uint64_t not_stored = 0;    // alerts that on_alert did not take
  uint64_t acks = 0;          // handed to the client
  uint64_t acks_refused = 0;  // of these: by the broker
  uint64_t acks_dropped = 0;  // no room; the alert comes again, and so does its acknowledgement
};

// One thread reads and hears of deliveries; figures() from any.
class FleetReader {
 public:
  static constexpr size_t kDefaultRuns = 200'000;

  FleetReader(std::string prefix, FleetEvents& events, size_t runs = kDefaultRuns)
      : prefix_(std::move(prefix)), events_(events), seen_(runs) {}

  // Acknowledgements go to `publisher`.
  void read(std::string_view topic, std::string_view payload, Publisher& publisher);
  // What became of what went to the publisher.
  void delivered(const Delivery& delivery);
  [[nodiscard]] FleetFigures figures() const;

 private:
  struct Counters {
    std::atomic<uint64_t> alerts{0}, scores{0}, health{0}, features{0}, status{0}, duplicates{0}, refused{0},
        not_stored{0}, acks{0}, acks_refused{0}, acks_dropped{0};
  };
  Status dispatch(std::string_view topic, std::string_view payload, Publisher& publisher);
  Status read_stroke(const model::TopicParts& parts, std::string_view payload, Publisher& publisher);
  Status read_health(const model::TopicParts& parts, std::string_view payload);
  Status read_features(const model::TopicParts& parts, std::string_view payload);
  Status read_status(const model::TopicParts& parts, std::string_view payload);
  // Whether it came before; remembers it.
  bool is_repeat(const std::string& device_id, const model::MessageIdentity& identity);
  void acknowledge(const model::StrokeMessage& message, Publisher& publisher);

  std::string prefix_;
  FleetEvents& events_;
  SeenMessages seen_;
  Counters counters_;
};

}  // namespace millwright::net::mqtt
