// SPDX-License-Identifier: Apache-2.0
#include "edge/uplink/sender.h"

#include <algorithm>
#include <utility>

namespace millwright::edge {
namespace {

constexpr double kNanosPerSecond = 1e9;
constexpr size_t kReadAtOnce = 64;
constexpr double kBurstSeconds = 0.2;  // of the replay's pace
constexpr size_t kMaxUnproven = 4'096;
// What is in flight belongs to live messages first: a backlog may never fill the client's queue.
constexpr size_t kRoomForLive = 32;
constexpr std::array kSent = {Stream::kAlerts, Stream::kScores, Stream::kHealth};

model::Channel channel_of(Stream stream) {
  if (stream == Stream::kAlerts) return model::Channel::kAlerts;
  return stream == Stream::kScores ? model::Channel::kScores : model::Channel::kHealth;
}

}  // namespace

Sender::Sender(Outbox& outbox, net::mqtt::Publisher& publisher, model::Topics topics, const SenderOptions& options,
               const Clock& clock)
    : outbox_(outbox), publisher_(publisher), topics_(std::move(topics)), options_(options), clock_(clock) {}

void Sender::connected() {
  const uint64_t last = outbox_.last_sequence();
  for (const Stream stream : kSent) cursors_[stream] = {.backlog = 0, .backlog_end = last, .live = last};
  in_flight_.clear();
  unproven_.clear();
  proofs_.clear();
  alerts_wait_ = false;
  silent_until_ns_ = 0;
  replay_ns_ = clock_.monotonic_ns();
  replay_tokens_ = options_.replay_per_s * kBurstSeconds;
}

Status Sender::step() {
  if (!publisher_.connected()) return {};
  const int64_t now = clock_.monotonic_ns();
  if (silent_until_ns_ != 0) {
    if (now < silent_until_ns_) return {};
    connected();
  }
  resend_alerts();
  replay_tokens_ =
      std::min(options_.replay_per_s * kBurstSeconds,
               replay_tokens_ + options_.replay_per_s * static_cast<double>(now - replay_ns_) / kNanosPerSecond);
  replay_ns_ = now;
  for (const Stream stream : kSent) MW_CHECK_OK(send_live(stream));
  for (const Stream stream : kSent) MW_CHECK_OK(send_backlog(stream));
  return {};
}

Status Sender::send_live(Stream stream) {
  Cursor& cursor = cursors_[stream];
  while (publisher_.room() > 0 && (stream == Stream::kAlerts || unproven_.size() < kMaxUnproven)) {
    const auto messages = MW_TRY(outbox_.read(stream, cursor.live, kReadAtOnce));
    if (messages.empty()) return {};
    for (const StoredMessage& message : messages) {
      if (!send(message, false)) return {};
      cursor.live = message.sequence;
    }
  }
  return {};
}

Status Sender::send_backlog(Stream stream) {
  Cursor& cursor = cursors_[stream];
  while (cursor.backlog < cursor.backlog_end && replay_tokens_ >= 1.0 && publisher_.room() > kRoomForLive) {
    const auto messages = MW_TRY(outbox_.read(stream, cursor.backlog, kReadAtOnce));
    if (messages.empty() || messages.front().sequence > cursor.backlog_end) {
      cursor.backlog = cursor.backlog_end;
      return {};
    }
    for (const StoredMessage& message : messages) {
      if (message.sequence > cursor.backlog_end) break;
      if (replay_tokens_ < 1.0 || publisher_.room() <= kRoomForLive || !send(message, true)) return {};
      replay_tokens_ -= 1.0;
      cursor.backlog = message.sequence;
    }
  }
  return {};
}

bool Sender::send(const StoredMessage& message, bool historical) {
  const bool at_most_once = message.stream != Stream::kAlerts && !historical;
  const uint64_t token = next_token_++;
  const model::MessageIdentity identity{.boot_id = message.boot_id, .seq = message.sequence, .historical = historical};
  const bool taken =
      publisher_.publish({.topic = topics_.asset(options_.line_id, message.asset, channel_of(message.stream)),
                          .payload = model::stroke_message(message.payload, identity),
                          .qos = at_most_once ? 0 : 1,
                          .retain = false,
                          .token = token});
  if (!taken) return false;
  const Sent sent{.stream = message.stream, .boot_id = message.boot_id, .sequence = message.sequence};
  if (at_most_once) {
    if (unproven_.empty()) unproven_since_ns_ = clock_.monotonic_ns();
    unproven_.push_back(sent);
    figures_.unconfirmed_scores = unproven_.size();
  } else {
    in_flight_.emplace(token, sent);
  }
  // From the first that waits on: a steady flow of new ones must not put off the asking.
  if (message.stream == Stream::kAlerts && !std::exchange(alerts_wait_, true)) alerts_sent_ns_ = clock_.monotonic_ns();
  ++(historical ? figures_.historical : figures_.live);
  return true;
}

void Sender::forget(const Sent& sent) {
  figures_.confirmed += outbox_.acknowledge(sent.boot_id, std::span(&sent.sequence, 1));
}

// The broker lives and the hub does not: what is sent now is lost. All waits, and is tried again after a while.
bool Sender::unheard(const net::mqtt::Delivery& delivery) {
  if (!delivery.nobody_listened() || options_.alerts_leave_on != AlertsLeaveOn::kHub) return false;
  ++figures_.unheard;
  if (silent_until_ns_ == 0) silent_until_ns_ = clock_.monotonic_ns() + options_.ask_again_ns;
  unproven_.clear();
  proofs_.clear();
  figures_.unconfirmed_scores = 0;
  return true;
}

void Sender::delivered(const net::mqtt::Delivery& delivery) {
  using net::mqtt::Outcome;
  if (unheard(delivery)) return;
  if (const auto proof = std::ranges::find(proofs_, delivery.token, &Proof::token); proof != proofs_.end()) {
    if (delivery.outcome == Outcome::kAccepted) {
      const size_t proven = std::min(proof->scores, unproven_.size());
      for (size_t i = 0; i < proven; ++i) forget(unproven_[i]);
      unproven_.erase(unproven_.begin(), unproven_.begin() + static_cast<ptrdiff_t>(proven));
      figures_.unconfirmed_scores = unproven_.size();
    }
    if (delivery.outcome == Outcome::kRefused) ++figures_.refused;
    // Also after a refusal: asking again at once would never end.
    unproven_since_ns_ = clock_.monotonic_ns();
    proofs_.erase(proof);
    return;
  }
  const auto found = in_flight_.find(delivery.token);
  if (found == in_flight_.end()) return;
  const Sent sent = found->second;
  in_flight_.erase(found);
  if (delivery.outcome == Outcome::kRefused) {
    ++figures_.refused;
    // A right that is missing at the broker may be given tomorrow: alerts wait for it, however often they are refused.
    if (sent.stream != Stream::kAlerts) outbox_.refuse(sent.boot_id, sent.sequence);
  } else if (delivery.outcome == Outcome::kAccepted &&
             (sent.stream != Stream::kAlerts || options_.alerts_leave_on == AlertsLeaveOn::kPuback)) {
    forget(sent);
  }
}

void Sender::acknowledged(const model::AckMessage& ack) {
  figures_.confirmed += outbox_.acknowledge(ack.boot_id, ack.seqs);
}

// Alerts that nobody has confirmed for a while are sent again, all of them: whoever has one already knows its identity.
void Sender::resend_alerts() {
  if (!alerts_wait_ || clock_.monotonic_ns() - alerts_sent_ns_ < options_.resend_after_ns) return;
  alerts_wait_ = false;
  Cursor& cursor = cursors_[Stream::kAlerts];
  const auto waiting = outbox_.read(Stream::kAlerts, 0, 1);
  if (!waiting || waiting->empty() || cursor.backlog < cursor.backlog_end) return;
  cursor = {.backlog = 0, .backlog_end = cursor.live, .live = cursor.live};
  ++figures_.resent;
}

bool Sender::wants_proof() const {
  return !unproven_.empty() && proofs_.empty() &&
         (clock_.monotonic_ns() - unproven_since_ns_ >= options_.confirm_after_ns ||
          unproven_.size() >= kMaxUnproven / 2);
}

void Sender::proving(uint64_t token) { proofs_.push_back({.token = token, .scores = unproven_.size()}); }

}  // namespace millwright::edge
