// SPDX-License-Identifier: Apache-2.0
#include "net/mqtt/fleet_reader.h"

namespace millwright::net::mqtt {
namespace {

using model::Channel;

constexpr uint64_t kAckToken = 1;

void count(std::atomic<uint64_t>& counter) { counter.fetch_add(1, std::memory_order_relaxed); }

}  // namespace

void FleetReader::read(std::string_view topic, std::string_view payload, Publisher& publisher) {
  const Status done = dispatch(topic, payload, publisher);
  if (done) return;
  count(counters_.refused);
  events_.on_refused(topic, done.error());
}

Status FleetReader::dispatch(std::string_view topic, std::string_view payload, Publisher& publisher) {
  const model::TopicParts parts = MW_TRY(model::parse_topic(prefix_, topic));
  switch (parts.channel) {
    case Channel::kScores:
    case Channel::kAlerts: return read_stroke(parts, payload, publisher);
    case Channel::kHealth: return read_health(parts, payload);
    case Channel::kStatus: return read_status(parts, payload);
    case Channel::kFeatures: return read_features(parts, payload);
    case Channel::kAck:
    case Channel::kCommand: break;
  }
  return fail(ErrorCode::kInvalidInput, "not a topic that devices write to");
}

Status FleetReader::read_stroke(const model::TopicParts& parts, std::string_view payload, Publisher& publisher) {
  const model::StrokeMessage message = MW_TRY(model::parse_stroke_message(payload));
  if (message.factory_id != parts.factory_id || message.line_id != parts.line_id ||
      message.asset_id != parts.asset_id) {
    return fail(ErrorCode::kRefused, "stroke message: speaks of another asset than its topic");
  }
  const bool alert = parts.channel == Channel::kAlerts;
  const model::MessageIdentity& identity = message.identity;
  if (seen_.contains(message.device_id, identity.boot_id, identity.seq)) {
    count(counters_.duplicates);
    // It is stored, and the device does not know it yet.
    if (alert) acknowledge(message, publisher);
    return {};
  }
  count(alert ? counters_.alerts : counters_.scores);
  if (!alert) {
    events_.on_score(message, payload);
  } else if (events_.on_alert(message, payload)) {
    acknowledge(message, publisher);
  } else {
    count(counters_.not_stored);
    return {};
  }
  seen_.insert(message.device_id, identity.boot_id, identity.seq);
  return {};
}

bool FleetReader::is_repeat(const std::string& device_id, const model::MessageIdentity& identity) {
  if (seen_.contains(device_id, identity.boot_id, identity.seq)) {
    count(counters_.duplicates);
    return true;
  }
  seen_.insert(device_id, identity.boot_id, identity.seq);
  return false;
}

Status FleetReader::read_health(const model::TopicParts& parts, std::string_view payload) {
  const model::HealthMessage message = MW_TRY(model::parse_health_message(payload));
  if (is_repeat(message.device_id, message.identity)) return {};
  count(counters_.health);
  events_.on_health(parts, message);
  return {};
}

Status FleetReader::read_features(const model::TopicParts& parts, std::string_view payload) {
  const model::FeaturesMessage message = MW_TRY(model::parse_features_message(payload));
  if (message.asset_id != parts.asset_id) {
    return fail(ErrorCode::kRefused, "features message: speaks of another asset than its topic");
  }
  if (is_repeat(message.device_id, message.identity)) return {};
  count(counters_.features);
  events_.on_features(parts, message, payload);
  return {};
}

Status FleetReader::read_status(const model::TopicParts& parts, std::string_view payload) {
  const model::StatusMessage message = MW_TRY(model::parse_status_message(payload));
  if (message.device_id != parts.device_id) {
    return fail(ErrorCode::kRefused, "status message: speaks of another device than its topic");
  }
  count(counters_.status);
  events_.on_status(parts, message);
  return {};
}

void FleetReader::acknowledge(const model::StrokeMessage& message, Publisher& publisher) {
  // Both ids were checked when the message was read.
  const Result<model::Topics> topics = model::Topics::create(prefix_, message.factory_id, message.device_id);
  const model::MessageIdentity& identity = message.identity;
  const bool sent =
      topics &&
      publisher.publish({.topic = topics->edge(Channel::kAck),
                         .payload = model::ack_message(
                             {.device_id = message.device_id, .boot_id = identity.boot_id, .seqs = {identity.seq}}),
                         .token = kAckToken});
  count(sent ? counters_.acks : counters_.acks_dropped);
}

void FleetReader::delivered(const Delivery& delivery) {
  if (delivery.token != kAckToken || delivery.outcome != Outcome::kRefused) return;
  count(counters_.acks_refused);
  events_.on_ack_refused(delivery.reason);
}

FleetFigures FleetReader::figures() const {
  return {.alerts = counters_.alerts,
          .scores = counters_.scores,
          .health = counters_.health,
          .features = counters_.features,
          .status = counters_.status,
          .duplicates = counters_.duplicates,
          .refused = counters_.refused,
          .not_stored = counters_.not_stored,
          .acks = counters_.acks,
          .acks_refused = counters_.acks_refused,
          .acks_dropped = counters_.acks_dropped};
}

}  // namespace millwright::net::mqtt
