// SPDX-License-Identifier: Apache-2.0
// What is said on the topics, written and read. Readers take any bytes from anybody: at most 64 kB, no key twice, every
// member that we name of its type and within its range. Data of a device may have members that we do not know (a newer
// agent must not be silenced by an older hub); what makes somebody act (ack, command) may not.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "model/stroke_record.h"
#include "model/topics.h"

namespace millwright::model {

inline constexpr size_t kMaxPayloadBytes = 64 * 1024;
inline constexpr size_t kMaxAckSeqs = 1024;
inline constexpr size_t kMaxHealthFigures = 64;
inline constexpr uint32_t kMaxShelveMinutes = 7 * 24 * 60;

// What one message is known by, wherever and however often it arrives: (device, boot_id, seq).
struct MessageIdentity {
  std::string boot_id;      // of the agent's start that stored it, see 0003
  uint64_t seq = 0;         // rises for a device
  bool historical = false;  // stored before it was sent: not live
};

// ---- scores and alerts: the stroke record's line with its identity
// `record_line` is to_json_line's. The member "message" is appended; the line itself stays as the journal has it.
std::string stroke_message(std::string_view record_line, const MessageIdentity& identity);

struct StrokeMessage {
  MessageIdentity identity;
  std::string timestamp;
  std::string factory_id;
  std::string line_id;
  std::string asset_id;
  std::string device_id;
  StrokeRecord record;  // as parse_json_line reads it
};
Result<StrokeMessage> parse_stroke_message(std::string_view payload);

// ---- health
struct HealthMessage {
  MessageIdentity identity;
  std::string timestamp;  // format_utc
  std::string device_id;
  double cpu_pct = 0.0;                                 // 0 .. 100
  std::optional<double> gpu_pct;                        // nothing: no GPU
  std::optional<double> temp_c;                         // nothing: no sensor; one decimal
  std::vector<std::pair<std::string, double>> figures;  // more: names of a-z, 0-9 and '_'; finite
};
// Without its identity: what is stored, and sent later through stroke_message().
std::string health_line(const HealthMessage& health);
std::string health_message(const HealthMessage& health);
Result<HealthMessage> parse_health_message(std::string_view payload);

// ---- features: what they did over a period, for whoever watches for drift
inline constexpr size_t kMaxSummaryFeatures = 256;  // the first ones of the spec
struct FeaturesMessage {
  MessageIdentity identity;
  std::string timestamp;  // format_utc, the period's end
  std::string device_id;
  std::string asset_id;
  std::string model;      // digest of the bundle whose features they are
  double period_s = 0.0;  // above 0
  uint64_t strokes = 0;   // in it
  uint64_t features = 0;  // of the spec; the lists have as many, or kMaxSummaryFeatures
  // One per feature; NaN where a value was not finite, null in JSON.
  std::vector<std::string> names;
  std::vector<double> mean, sd, min, max;
};
// Without its identity, as health_line().
std::string features_line(const FeaturesMessage& features);
Result<FeaturesMessage> parse_features_message(std::string_view payload);

// ---- status, retained; as Last Will its timestamp says when the connection was made that is now lost
struct StatusMessage {
  std::string device_id;
  bool online = false;
  std::string timestamp;
};
std::string status_message(const StatusMessage& status);
Result<StatusMessage> parse_status_message(std::string_view payload);

// ---- the hub's acknowledgement: these messages are stored for good
struct AckMessage {
  std::string device_id;
  std::string boot_id;
  std::vector<uint64_t> seqs;  // 1 to kMaxAckSeqs
};
std::string ack_message(const AckMessage& ack);
Result<AckMessage> parse_ack_message(std::string_view payload);

// ---- commands of the hub. Whom to believe is not in the payload: the broker lets only the hub's certificate write to
// this topic (deploy/mosquitto).
enum class CommandKind : uint8_t { kAcknowledge, kShelve };
struct CommandMessage {
  std::string device_id;
  std::string command_id;  // the same command twice is one command
  CommandKind kind = CommandKind::kAcknowledge;
  std::string asset_id;
  std::string user;      // who decided, for the audit log; at most kMaxIdBytes
  uint32_t minutes = 0;  // shelve: for how long, up to a week; 0 ends it. Acknowledge: 0
};
std::string command_message(const CommandMessage& command);
Result<CommandMessage> parse_command_message(std::string_view payload);

}  // namespace millwright::model
