// SPDX-License-Identifier: Apache-2.0
#include "model/topics.h"

#include <algorithm>
#include <array>
#include <optional>

namespace millwright::model {
namespace {

constexpr std::array<std::string_view, 7> kNames = {"scores", "alerts", "health", "features",
                                                    "status", "ack",    "command"};
constexpr size_t kEdgeParts = 5;   // factory F edge D channel
constexpr size_t kAssetParts = 7;  // factory F line L asset A channel

bool of_edge(Channel channel) { return channel >= Channel::kStatus; }

std::optional<Channel> channel_from(std::string_view text) {
  const auto found = std::find(kNames.begin(), kNames.end(), text);
  if (found == kNames.end()) return std::nullopt;
  return static_cast<Channel>(found - kNames.begin());
}

// The length of the UTF-8 character that begins here, or 0 where none does (RFC 3629, section 4).
size_t character_at(std::string_view text) {
  const auto byte = [text](size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U; };
  const auto follows = [&byte](size_t i) { return (byte(i) & 0xC0) == 0x80; };
  const unsigned first = byte(0);
  if (first < 0x80) return 1;
  if (first >= 0xC2 && first < 0xE0) return follows(1) ? 2 : 0;
  if (first >= 0xE0 && first < 0xF0) {
    const bool overlong = first == 0xE0 && byte(1) < 0xA0;
    const bool surrogate = first == 0xED && byte(1) >= 0xA0;
    return follows(1) && follows(2) && !overlong && !surrogate ? 3 : 0;
  }
  if (first >= 0xF0 && first < 0xF5) {
    const bool overlong = first == 0xF0 && byte(1) < 0x90;
    const bool beyond = first == 0xF4 && byte(1) >= 0x90;
    return follows(1) && follows(2) && follows(3) && !overlong && !beyond ? 4 : 0;
  }
  return 0;
}

bool is_level(std::string_view text) {
  if (text.empty() || text.front() == '$') return false;
  while (!text.empty()) {
    const auto first = static_cast<unsigned char>(text.front());
    if (first <= 0x20 || first == 0x7F || first == '/' || first == '+' || first == '#') return false;
    const size_t length = character_at(text);
    // The control characters above ASCII are U+0080 to U+009F.
    if (length == 0 || (length == 2 && first == 0xC2 && static_cast<unsigned char>(text[1]) < 0xA0)) return false;
    text.remove_prefix(length);
  }
  return true;
}

// At most kAssetParts + 1 levels: more than any topic of ours has.
std::vector<std::string_view> levels_of(std::string_view topic) {
  std::vector<std::string_view> levels;
  levels.reserve(kAssetParts + 1);
  while (levels.size() <= kAssetParts) {
    const size_t slash = topic.find('/');
    levels.push_back(topic.substr(0, slash));
    if (slash == std::string_view::npos) break;
    topic.remove_prefix(slash + 1);
  }
  return levels;
}

std::string with_slash(std::string_view prefix) { return prefix.empty() ? std::string() : std::string(prefix) + "/"; }

}  // namespace

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const size_t length = character_at(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

Status check_id(std::string_view what, std::string_view id) {
  if (id.size() <= kMaxIdBytes && is_level(id)) return {};
  return fail(ErrorCode::kInvalidInput,
              "{}: must have 1 to {} bytes of UTF-8 without '/', '+', '#', spaces or control characters, and not begin "
              "with '$'",
              what, kMaxIdBytes);
}

Status check_prefix(std::string_view prefix) {
  if (prefix.empty()) return {};
  bool good = prefix.size() <= kMaxPrefixBytes;
  for (size_t begin = 0; good && begin <= prefix.size();) {
    const size_t end = std::min(prefix.find('/', begin), prefix.size());
    good = is_level(prefix.substr(begin, end - begin));
    begin = end + 1;
  }
  if (good) return {};
  return fail(ErrorCode::kInvalidInput,
              "topic prefix: must be levels joined by '/', without '+', '#' or spaces, as in "
              "'enterprise/site', at most {} bytes",
              kMaxPrefixBytes);
}

std::string_view name(Channel channel) { return kNames[static_cast<size_t>(channel)]; }

Result<Topics> Topics::create(std::string_view prefix, std::string_view factory_id, std::string_view device_id) {
  MW_CHECK_OK(check_prefix(prefix));
  MW_CHECK_OK(check_id("factory_id", factory_id));
  MW_CHECK_OK(check_id("device_id", device_id));
  Topics topics;
  topics.factory_ = fmt::format("{}factory/{}", with_slash(prefix), factory_id);
  topics.device_id_ = device_id;
  return topics;
}

std::string Topics::asset(std::string_view line_id, std::string_view asset_id, Channel channel) const {
  return fmt::format("{}/line/{}/asset/{}/{}", factory_, line_id, asset_id, name(channel));
}

std::string Topics::edge(Channel channel) const {
  return fmt::format("{}/edge/{}/{}", factory_, device_id_, name(channel));
}

Result<TopicParts> parse_topic(std::string_view prefix, std::string_view topic) {
  const auto strange = [] { return fail(ErrorCode::kInvalidInput, "not a topic of ours"); };
  const std::string begin = with_slash(prefix);
  if (!topic.starts_with(begin)) return strange();
  const std::vector<std::string_view> levels = levels_of(topic.substr(begin.size()));
  if ((levels.size() != kEdgeParts && levels.size() != kAssetParts) || levels[0] != "factory") return strange();
  const std::optional<Channel> channel = channel_from(levels.back());
  if (!channel || of_edge(*channel) != (levels.size() == kEdgeParts)) return strange();
  TopicParts parts{.channel = *channel, .factory_id = std::string(levels[1])};
  MW_CHECK_OK(check_id("factory_id", parts.factory_id));
  if (of_edge(*channel)) {
    if (levels[2] != "edge") return strange();
    parts.device_id = levels[3];
    MW_CHECK_OK(check_id("device_id", parts.device_id));
    return parts;
  }
  if (levels[2] != "line" || levels[4] != "asset") return strange();
  parts.line_id = levels[3];
  parts.asset_id = levels[5];
  MW_CHECK_OK(check_id("line_id", parts.line_id));
  MW_CHECK_OK(check_id("asset_id", parts.asset_id));
  return parts;
}

std::string fleet_filter(std::string_view prefix, Channel channel) {
  return fmt::format("{}factory/+/{}/{}", with_slash(prefix), of_edge(channel) ? "edge/+" : "line/+/asset/+",
                     name(channel));
}

}  // namespace millwright::model
