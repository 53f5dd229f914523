// SPDX-License-Identifier: Apache-2.0
#include "edge/event_log.h"

#include <unistd.h>

#include <array>
#include <string>

#include <nlohmann/json.hpp>

#include "base/clock.h"

namespace millwright::edge {

void log_event(Level level, std::string_view event, const nlohmann::json& details) {
  constexpr std::array<std::string_view, 3> kLevels = {"info", "warning", "error"};
  nlohmann::ordered_json line;
  line["timestamp"] = format_utc(SystemClock().wall_ns());
  line["level"] = kLevels[static_cast<size_t>(level)];
  line["event"] = event;
  for (const auto& [key, value] : details.items()) line[key] = value;
  const std::string text = line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
  // A log that cannot be written has nobody to tell it to.
  [[maybe_unused]] const ssize_t n = ::write(STDERR_FILENO, text.data(), text.size());
}

}  // namespace millwright::edge
