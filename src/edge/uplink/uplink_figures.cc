// SPDX-License-Identifier: Apache-2.0
// What the link shows of itself: metrics, status, and a line in the log where something was given up.
#include <limits>

#include <nlohmann/json.hpp>

#include "edge/event_log.h"
#include "edge/uplink/uplink.h"

namespace millwright::edge {
namespace {

using nlohmann::json;

constexpr std::array kStreamsShown = {Stream::kAlerts, Stream::kScores, Stream::kHealth, Stream::kFeatures};

}  // namespace

SenderFigures Uplink::sender_figures() {
  const std::lock_guard lock(mutex_);
  return sender_ ? sender_->figures() : SenderFigures{};
}

// Under totals_mutex_, while the store is open.
uint64_t Uplink::dropped_since_start(const OutboxFigures& figures, Stream stream, DropReason reason) {
  const uint64_t total = figures.streams[static_cast<size_t>(stream)].drops[static_cast<size_t>(reason)];
  return totals_[fmt::format("dropped {} {}", name(stream), name(reason))].look(total);
}

// What was given up is counted in the metrics; the log says that it happens, at most every ten minutes.
void Uplink::note_losses(int64_t now_ns) {
  constexpr int64_t kEveryNs = 600'000'000'000;
  if (now_ns < next_loss_ns_) return;
  const OutboxFigures figures = outbox_.figures();
  if (!figures.open) return;
  const std::lock_guard lock(totals_mutex_);
  json given_up = json::object();
  uint64_t total = totals_["quarantined"].look(figures.quarantined);
  given_up["damaged_places"] = total;
  for (const Stream stream : kStreamsShown) {
    uint64_t dropped = 0;
    for (size_t reason = 0; reason < kDropReasons; ++reason) {
      dropped += dropped_since_start(figures, stream, static_cast<DropReason>(reason));
    }
    given_up[std::string(name(stream))] = dropped;
    total += dropped;
  }
  if (total == given_up_) return;
  given_up_ = total;
  next_loss_ns_ = now_ns + kEveryNs;
  log_event(Level::kWarning, "messages_given_up", given_up);
}

void Uplink::make_series() {
  read_certificate();
  settings_.metrics.before_scrape([this] { update_series(); });
  update_series();
}

void Uplink::update_series() {
  const metrics::Labels box = {{"device_id", settings_.config.device_id}, {"factory_id", settings_.config.factory_id}};
  const auto with = [&box](std::initializer_list<std::pair<std::string, std::string>> more) {
    metrics::Labels labels = box;
    labels.insert(labels.end(), more);
    return labels;
  };
  metrics::Registry& registry = settings_.metrics;
  const OutboxFigures outbox = outbox_.figures();
  const std::lock_guard lock(totals_mutex_);
  for (const Stream stream : kStreamsShown) {
    const StreamFigures& figures = outbox.streams[static_cast<size_t>(stream)];
    const std::string label(name(stream));
    registry.gauge({"edge_outbox_messages", "Messages that wait"}, with({{"stream", label}}))
        .set(static_cast<double>(figures.messages));
    registry.gauge({"edge_outbox_bytes", "Bytes that waiting messages take"}, with({{"stream", label}}))
        .set(static_cast<double>(figures.bytes));
    if (!outbox.open) continue;
    registry.counter({"edge_outbox_delivered_total", "Messages that left delivered"}, with({{"stream", label}}))
        .set_total(totals_[fmt::format("delivered {}", label)].look(figures.delivered));
    for (size_t reason = 0; reason < kDropReasons; ++reason) {
      registry
          .counter({"edge_outbox_dropped_total", "Messages that left undelivered"},
                   with({{"stream", label}, {"reason", std::string(name(static_cast<DropReason>(reason)))}}))
          .set_total(dropped_since_start(outbox, stream, static_cast<DropReason>(reason)));
    }
  }
  registry
      .gauge({"edge_outbox_headroom_seconds", "Until the oldest are given up, at the present rate"},
             with({{"stream", "scores"}}))
      .set(outbox.headroom_s);
  registry.gauge({"edge_outbox_open", "1 while the store can be trusted"}, box).set(outbox.open ? 1.0 : 0.0);
  if (outbox.open) {
    registry.counter({"edge_outbox_quarantined_total", "Damaged places found in the store"}, box)
        .set_total(totals_["quarantined"].look(outbox.quarantined));
  }
  registry.counter({"edge_outbox_read_failures_total", "Reads of the store that its disk refused"}, box)
      .set_total(outbox.unreadable);
  registry.counter({"edge_outbox_strokes_not_fed_total", "Strokes that the journal no longer had"}, box)
      .set_total(feeder_.figures().missing);
  if (settings_.config.mqtt->tls && !settings_.config.mqtt->certificate_file.empty()) {
    const int64_t ends_s = certificate_ends_s_;
    registry
        .gauge({"edge_certificate_seconds_left", "Until this box's certificate ends, NaN where it cannot be read"}, box)
        .set(ends_s == 0 ? std::numeric_limits<double>::quiet_NaN()
                         : static_cast<double>(ends_s) - static_cast<double>(clock_.wall_ns()) * 1e-9);
  }
  const net::mqtt::ClientFigures client = client_ ? client_->figures() : net::mqtt::ClientFigures{};
  registry.gauge({"edge_mqtt_connected", "1 while a broker has accepted this box"}, box)
      .set(client.connected ? 1.0 : 0.0);
  registry.counter({"edge_mqtt_connects_total", "Connections that a broker accepted"}, box).set_total(client.connects);
  registry.counter({"edge_mqtt_attempts_total", "Attempts to connect"}, box).set_total(client.attempts);
  registry.counter({"edge_mqtt_refused_total", "Messages that the broker refused"}, box).set_total(client.refused);
  registry.counter({"edge_mqtt_unheard_total", "Messages that the broker took while nobody had subscribed"}, box)
      .set_total(sender_figures().unheard);
  registry.counter({"edge_mqtt_sent_bytes_total", "Payload handed to the network"}, box).set_total(client.sent_bytes);
}

json Uplink::status() {
  const OutboxFigures outbox = outbox_.figures();
  const FeederFigures feeder = feeder_.figures();
  const SenderFigures sender = sender_figures();
  return {{"connected", client_ && client_->connected()},
          {"last_error", client_ ? client_->last_error() : std::string()},
          {"outbox",
           {{"open", outbox.open},
            {"waiting", waiting()},
            {"alerts_waiting", outbox.streams[0].messages},
            {"alerts_unconfirmed_s", static_cast<double>(confirmations_.waited_ns()) * 1e-9},
            {"alerts_overdue", confirmations_.overdue()},
            {"headroom_s", outbox.headroom_s},
            {"error", outbox.last_error}}},
          {"fed", {{"scores", feeder.scores}, {"alerts", feeder.alerts}, {"missing", feeder.missing}}},
          {"sent",
           {{"live", sender.live},
            {"historical", sender.historical},
            {"confirmed", sender.confirmed},
            {"refused", sender.refused},
            {"nobody_listens", sender.nobody_listens},
            {"held_topics", sender.held_topics}}},
          {"sent_bytes", client_ ? client_->figures().sent_bytes : 0}};
}

}  // namespace millwright::edge
