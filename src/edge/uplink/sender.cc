// SPDX-License-Identifier: Apache-2.0
#include "edge/uplink/sender.h"

#include <algorithm>
#include <utility>

#include "edge/uplink/refusals.h"

namespace millwright::edge {
namespace {

constexpr int64_t kReadPauseNs = 5'000'000'000;  // after a place that the disk cannot read
constexpr double kNanosPerSecond = 1e9;
constexpr size_t kReadAtOnce = 64;
constexpr double kBurstSeconds = 0.2;  // of the replay's pace
constexpr size_t kMaxUnproven = 4'096;
// What is in flight belongs to live messages first: a backlog may never fill the client's queue.
constexpr size_t kRoomForLive = 32;
// Passing over a message of a topic that is held costs a read and no network.
constexpr double kPassingCost = 0.02;
constexpr size_t kMaxPoison = 1024;  // more wait for the next connection
constexpr std::array kSent = {Stream::kAlerts, Stream::kScores, Stream::kHealth, Stream::kFeatures};

model::Channel channel_of(Stream stream) {
  switch (stream) {
    case Stream::kAlerts: return model::Channel::kAlerts;
    case Stream::kScores: return model::Channel::kScores;
    case Stream::kFeatures: return model::Channel::kFeatures;
    default: return model::Channel::kHealth;
  }
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
  figures_.unconfirmed_scores = 0;
  proofs_ = 0;
  held_.clear();
  figures_.held_topics = 0;
  poison_.clear();
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
  release_held();
  replay_tokens_ =
      std::min(options_.replay_per_s * kBurstSeconds,
               replay_tokens_ + options_.replay_per_s * static_cast<double>(now - replay_ns_) / kNanosPerSecond);
  replay_ns_ = now;
  // A stream that cannot be read keeps no other from going.
  Status first;
  const auto note = [&first](Status done) {
    if (!done && first) first = std::move(done);
  };
  for (const Stream stream : kSent) note(unless_paused(stream, &Sender::send_live));
  for (const Stream stream : kSent) note(unless_paused(stream, &Sender::send_backlog));
  if (now >= asked_again_paused_until_ns_) {
    const Status poison = retry_poison();
    const Status proof = prove();
    if (!poison || !proof) asked_again_paused_until_ns_ = now + kReadPauseNs;
    note(poison);
    note(proof);
  }
  return first;
}

// A place that the disk cannot read is not asked for ten times a second: each try may take it seconds, and holds the
// store.
Status Sender::unless_paused(Stream stream, Status (Sender::*action)(Stream)) {
  Cursor& cursor = cursors_[stream];
  if (clock_.monotonic_ns() < cursor.paused_until_ns) return {};
  Status sent = (this->*action)(stream);
  if (!sent) cursor.paused_until_ns = clock_.monotonic_ns() + kReadPauseNs;
  return sent;
}

Status Sender::send_live(Stream stream) {
  Cursor& cursor = cursors_[stream];
  while (publisher_.room() > 0 && (stream == Stream::kAlerts || unproven_.size() < kMaxUnproven)) {
    const auto messages = MW_TRY(outbox_.read(stream, cursor.live, kReadAtOnce));
    if (messages.empty()) return {};
    for (const StoredMessage& message : messages) {
      if (!is_held(message) && !send(message, Manner::kLive)) return {};
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
      if (replay_tokens_ < 1.0 || publisher_.room() <= kRoomForLive) return {};
      const bool held = is_held(message);
      if (!held && !send(message, Manner::kHistorical)) return {};
      replay_tokens_ -= held ? kPassingCost : 1.0;
      cursor.backlog = message.sequence;
    }
  }
  return {};
}

bool Sender::send(const StoredMessage& message, Manner manner) {
  const bool at_most_once = message.stream != Stream::kAlerts && manner == Manner::kLive;
  const bool historical = manner == Manner::kHistorical;
  const uint64_t token = next_token_++;
  const model::MessageIdentity identity{.boot_id = message.boot_id, .seq = message.sequence, .historical = historical};
  const bool taken =
      publisher_.publish({.topic = topics_.asset(options_.line_id, message.asset, channel_of(message.stream)),
                          .payload = model::stroke_message(message.payload, identity),
                          .qos = at_most_once ? 0 : 1,
                          .retain = false,
                          .token = token});
  if (!taken) return false;
  const Sent sent{.stream = message.stream,
                  .asset = message.asset,
                  .boot_id = message.boot_id,
                  .sequence = message.sequence,
                  .token = token,
                  .proves = manner == Manner::kProof};
  if (at_most_once) {
    if (unproven_.empty()) unproven_since_ns_ = clock_.monotonic_ns();
    unproven_.push_back(sent);
    figures_.unconfirmed_scores = unproven_.size();
  } else {
    in_flight_.emplace(token, sent);
  }
  // From the first that waits on: a steady flow of new ones must not put off the asking.
  if (message.stream == Stream::kAlerts && !std::exchange(alerts_wait_, true)) alerts_sent_ns_ = clock_.monotonic_ns();
  if (manner != Manner::kProof) ++(historical ? figures_.historical : figures_.live);
  return true;
}

// The newest live message of each topic, once more at QoS 1: whoever has it already knows its identity.
Status Sender::prove() {
  const int64_t now = clock_.monotonic_ns();
  if (unproven_.empty() || proofs_ > 0) return {};
  if (now - unproven_since_ns_ < options_.confirm_after_ns && unproven_.size() < kMaxUnproven / 2) return {};
  std::map<Topic, uint64_t> newest;
  for (const Sent& sent : unproven_) newest[{sent.stream, sent.asset}] = sent.sequence;
  for (const auto& [topic, sequence] : newest) {
    const auto messages = MW_TRY(outbox_.read(topic.first, sequence - 1, 1));
    if (messages.empty() || messages.front().sequence != sequence) {
      // The store gave it up meanwhile: the one before it proves as much.
      std::erase_if(unproven_, [sequence](const Sent& sent) { return sent.sequence == sequence; });
      continue;
    }
    if (!send(messages.front(), Manner::kProof)) break;
    ++proofs_;
  }
  unproven_since_ns_ = now;
  figures_.unconfirmed_scores = unproven_.size();
  return {};
}

bool Sender::is_held(const StoredMessage& message) {
  const auto held = held_.find({message.stream, message.asset});
  if (held == held_.end()) return false;
  held->second.first = std::min(held->second.first, message.sequence);
  return true;
}

void Sender::hold(const Sent& sent) {
  const int64_t until = clock_.monotonic_ns() + options_.hold_after_refusal_ns;
  const auto [held, is_new] = held_.try_emplace({sent.stream, sent.asset}, until, sent.sequence);
  held->second.first = std::min(held->second.first, sent.sequence);
  // What was sent live before it was most likely refused too, and nobody said so.
  std::erase_if(unproven_, [&](const Sent& other) {
    if (other.stream != sent.stream || other.asset != sent.asset) return false;
    held->second.first = std::min(held->second.first, other.sequence);
    return true;
  });
  figures_.unconfirmed_scores = unproven_.size();
  figures_.held_topics = held_.size();
}

// The right may have been given meanwhile: what was kept back is sent as what it is now, history.
void Sender::release_held() {
  const int64_t now = clock_.monotonic_ns();
  for (auto held = held_.begin(); held != held_.end();) {
    if (now < held->second.until_ns) {
      ++held;
      continue;
    }
    Cursor& cursor = cursors_[held->first.first];
    const bool at_work = cursor.backlog < cursor.backlog_end;
    cursor.backlog = at_work ? std::min(cursor.backlog, held->second.first - 1) : held->second.first - 1;
    cursor.backlog_end = cursor.live;
    held = held_.erase(held);
  }
  figures_.held_topics = held_.size();
}

Status Sender::retry_poison() {
  while (!poison_.empty() && clock_.monotonic_ns() >= poison_.front().due_ns && publisher_.room() > kRoomForLive) {
    const Poison poison = poison_.front();
    const auto messages = MW_TRY(outbox_.read(poison.stream, poison.sequence - 1, 1));
    const bool waits = !messages.empty() && messages.front().sequence == poison.sequence;
    if (waits && !send(messages.front(), Manner::kHistorical)) return {};
    poison_.pop_front();
  }
  return {};
}

void Sender::forget(const Sent& sent) {
  figures_.confirmed += outbox_.acknowledge(sent.boot_id, std::span(&sent.sequence, 1));
}

void Sender::tell(const Sent& sent, uint8_t reason) {
  if (!options_.on_answer) return;
  options_.on_answer(topics_.asset(options_.line_id, sent.asset, channel_of(sent.stream)), reason);
}

// The broker lives and the hub does not: what is sent now is lost. All waits, and is tried again after a while.
bool Sender::unheard(const net::mqtt::Delivery& delivery) {
  if (!delivery.nobody_listened() || options_.alerts_leave_on != AlertsLeaveOn::kHub) return false;
  ++figures_.unheard;
  figures_.nobody_listens = true;
  if (silent_until_ns_ == 0) silent_until_ns_ = clock_.monotonic_ns() + options_.ask_again_ns;
  unproven_.clear();
  figures_.unconfirmed_scores = 0;
  return true;
}

void Sender::delivered(const net::mqtt::Delivery& delivery) {
  using net::mqtt::Outcome;
  if (unheard(delivery)) return;
  const auto found = in_flight_.find(delivery.token);
  if (found == in_flight_.end()) {
    // Also at QoS 0: too large for this broker, and therefore never sent.
    const auto live = std::ranges::find(unproven_, delivery.token, &Sent::token);
    if (delivery.outcome == Outcome::kRefused && live != unproven_.end()) refused(Sent(*live), delivery.reason);
    return;
  }
  const Sent sent = found->second;
  in_flight_.erase(found);
  if (sent.proves) --proofs_;
  if (delivery.outcome == Outcome::kAccepted) {
    figures_.nobody_listens = false;
    accepted(sent);
    tell(sent, 0);
  }
  if (delivery.outcome == Outcome::kRefused) refused(sent, delivery.reason);
}

void Sender::accepted(const Sent& sent) {
  if (sent.stream == Stream::kAlerts) {
    if (options_.alerts_leave_on == AlertsLeaveOn::kPuback) forget(sent);
    return;
  }
  forget(sent);
  if (!sent.proves) return;
  std::erase_if(unproven_, [&](const Sent& other) {
    if (other.stream != sent.stream || other.asset != sent.asset || other.sequence > sent.sequence) return false;
    if (other.sequence != sent.sequence) forget(other);
    return true;
  });
  figures_.unconfirmed_scores = unproven_.size();
}

void Sender::refused(const Sent& sent, uint8_t reason) {
  ++figures_.refused;
  tell(sent, reason);
  // Alerts wait, however often they are refused; resend_alerts() asks again.
  if (sent.stream == Stream::kAlerts) return;
  if (!is_about_the_message(reason)) {
    hold(sent);
    return;
  }
  std::erase_if(unproven_, [&](const Sent& other) { return other.sequence == sent.sequence; });
  figures_.unconfirmed_scores = unproven_.size();
  outbox_.refuse(sent.boot_id, sent.sequence);
  if (poison_.size() >= kMaxPoison) return;
  poison_.push_back(
      {.stream = sent.stream, .sequence = sent.sequence, .due_ns = clock_.monotonic_ns() + options_.poison_pause_ns});
}

void Sender::acknowledged(const model::AckMessage& ack) {
  figures_.confirmed += outbox_.acknowledge(ack.boot_id, ack.seqs);
}

// Alerts that nobody has confirmed for a while are sent again, all of them: whoever has one already knows its identity.
void Sender::resend_alerts() {
  if (!alerts_wait_ || clock_.monotonic_ns() - alerts_sent_ns_ < options_.resend_after_ns) return;
  Cursor& cursor = cursors_[Stream::kAlerts];
  const auto waiting = outbox_.read(Stream::kAlerts, 0, 1);
  if (!waiting) {
    alerts_sent_ns_ = clock_.monotonic_ns();  // asked again after the same time
    return;
  }
  alerts_wait_ = !waiting->empty();
  alerts_sent_ns_ = clock_.monotonic_ns();
  if (!alerts_wait_ || cursor.backlog < cursor.backlog_end) return;
  cursor = {.backlog = 0, .backlog_end = cursor.live, .live = cursor.live};
  ++figures_.resent;
}

}  // namespace millwright::edge
