// SPDX-License-Identifier: Apache-2.0
// Between the outbox and the broker: what is sent next, and when a message need not be kept any longer. Pure logic over
// two seams; whoever owns it calls step() and passes on what the client hears.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/clock.h"
#include "edge/config.h"
#include "edge/outbox/outbox.h"
#include "model/telemetry.h"
#include "net/mqtt/message.h"

namespace millwright::edge {

struct SenderOptions {
  std::string line_id;
  AlertsLeaveOn alerts_leave_on = AlertsLeaveOn::kHub;
  double replay_per_s = 500.0;  // of what was stored while the link was down; live messages are not counted
  int64_t resend_after_ns = 30'000'000'000;        // an alert that no hub has confirmed
  int64_t ask_again_ns = 10'000'000'000;           // where the broker said that nobody listens
  int64_t confirm_after_ns = 5'000'000'000;        // scores sent live wait so long for a proof that they arrived
  int64_t hold_after_refusal_ns = 30'000'000'000;  // a topic that this box may not write to now
  int64_t poison_pause_ns = 5'000'000'000;         // between two tries of one message that a broker will not have
  // What a broker answered to a message on `topic`, by a reason of MQTT 5; may be empty. Within delivered().
  std::function<void(std::string_view topic, uint8_t reason)> on_answer;
};

struct SenderFigures {
  uint64_t live = 0;                // messages sent as they came
  uint64_t historical = 0;          // sent later
  uint64_t resent = 0;              // alerts sent again for want of a confirmation
  uint64_t refused = 0;             // by the broker
  uint64_t held_topics = 0;         // now: refused lately, left alone for a while
  uint64_t unheard = 0;             // taken by the broker while nobody listened
  bool nobody_listens = false;      // the last that was answered was one of these
  uint64_t confirmed = 0;           // left the outbox
  uint64_t unconfirmed_scores = 0;  // sent live, not proven yet
};

// Live scores go at QoS 0 as agreed; they stay in the outbox until the newest of them on their topic, said again at
// QoS 1, was acknowledged: that proves that the broker has read all bytes before it, and that this box may write to the
// topic (what a broker's list refuses at QoS 0 goes in silence). What a lost connection leaves unproven is sent again,
// marked historical.
// A topic that is refused is left alone for a while and keeps its messages; a single message that is refused for what
// it is is tried max_refusals times and becomes a dead letter. Neither holds up the others. One thread at a time.
class Sender {
 public:
  Sender(Outbox& outbox, net::mqtt::Publisher& publisher, model::Topics topics, const SenderOptions& options,
         const Clock& clock);

  // A new connection: everything that waits is sent again from the oldest on.
  void connected();
  // Hands to the client what it has room for: alerts, live scores, then a paced share of the backlog. An error where
  // the outbox cannot be read.
  Status step();
  void delivered(const net::mqtt::Delivery& delivery);
  void acknowledged(const model::AckMessage& ack);

  [[nodiscard]] const SenderFigures& figures() const { return figures_; }

 private:
  struct Cursor {
    uint64_t backlog = 0;      // sent up to here
    uint64_t backlog_end = 0;  // what waited when the connection came: historical up to here
    uint64_t live = 0;
    int64_t paused_until_ns = 0;
  };
  struct Sent {
    Stream stream;
    std::string asset;
    std::string boot_id;
    uint64_t sequence;
    uint64_t token;
    bool proves = false;  // all of its topic in unproven_ up to itself
  };
  using Topic = std::pair<Stream, std::string>;  // stream, asset
  struct Held {
    int64_t until_ns;
    uint64_t first;  // the oldest that was not sent, or was refused
  };
  struct Poison {
    Stream stream;
    uint64_t sequence;
    int64_t due_ns;
  };
  Status unless_paused(Stream stream, Status (Sender::*action)(Stream));
  Status send_live(Stream stream);
  Status send_backlog(Stream stream);
  enum class Manner : uint8_t { kLive, kHistorical, kProof };
  bool send(const StoredMessage& message, Manner manner);
  bool is_held(const StoredMessage& message);
  void release_held();
  Status prove();
  Status retry_poison();
  void accepted(const Sent& sent);
  void refused(const Sent& sent, uint8_t reason);
  void tell(const Sent& sent, uint8_t reason);
  void hold(const Sent& sent);
  void forget(const Sent& sent);
  void resend_alerts();
  bool unheard(const net::mqtt::Delivery& delivery);

  Outbox& outbox_;
  net::mqtt::Publisher& publisher_;
  const model::Topics topics_;
  const SenderOptions options_;
  const Clock& clock_;
  std::map<Stream, Cursor> cursors_;
  std::map<uint64_t, Sent> in_flight_;  // by token
  std::deque<Sent> unproven_;           // live scores at QoS 0, oldest first
  int64_t unproven_since_ns_ = 0;
  size_t proofs_ = 0;  // in flight
  std::map<Topic, Held> held_;
  std::deque<Poison> poison_;  // by time
  uint64_t next_token_ = 1;
  double replay_tokens_ = 0.0;
  int64_t replay_ns_ = 0;
  int64_t alerts_sent_ns_ = 0;  // the first of those that wait for the hub
  bool alerts_wait_ = false;
  int64_t asked_again_paused_until_ns_ = 0;
  int64_t silent_until_ns_ = 0;  // nobody listens; 0: somebody may
  SenderFigures figures_;
};

}  // namespace millwright::edge
