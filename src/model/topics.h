// SPDX-License-Identifier: Apache-2.0
// Where messages go: the topics that box and hub share. FORMAT.md lists them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace millwright::model {

inline constexpr size_t kMaxIdBytes = 64;
inline constexpr size_t kMaxPrefixBytes = 256;

// RFC 3629: no overlong forms, surrogates or code points beyond U+10FFFF.
bool is_utf8(std::string_view text);

// An id may be one level of a topic: 1 to 64 bytes of UTF-8 without '/', '+', '#', spaces or control characters, and
// not beginning with '$'. `what` names it in the error ("asset_id").
Status check_id(std::string_view what, std::string_view id);

// What stands before `factory/`: empty, or levels joined by '/', ending without one.
Status check_prefix(std::string_view prefix);

enum class Channel : uint8_t { kScores, kAlerts, kHealth, kFeatures, kStatus, kAck, kCommand };
std::string_view name(Channel channel);

// The topics of one device. Made once; the strings are ready.
class Topics {
 public:
  static Result<Topics> create(std::string_view prefix, std::string_view factory_id, std::string_view device_id);

  // `factory/F/line/L/asset/A/<channel>`, for scores, alerts, health and features. Both ids must have passed check_id.
  [[nodiscard]] std::string asset(std::string_view line_id, std::string_view asset_id, Channel channel) const;
  // `factory/F/edge/D/<channel>`, for status, ack and command.
  [[nodiscard]] std::string edge(Channel channel) const;

 private:
  std::string factory_;  // with its prefix, up to the slash
  std::string device_id_;
};

// A topic taken apart. The ids that it has no place for are empty.
struct TopicParts {
  Channel channel = Channel::kScores;
  std::string factory_id;
  std::string line_id;
  std::string asset_id;
  std::string device_id;
};

// kInvalidInput for every topic that Topics would not have made with this prefix.
Result<TopicParts> parse_topic(std::string_view prefix, std::string_view topic);

// The filter that matches one channel of all factories.
std::string fleet_filter(std::string_view prefix, Channel channel);

}  // namespace millwright::model
