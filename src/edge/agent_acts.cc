// SPDX-License-Identifier: Apache-2.0
// What people do to a running agent: an operator at its page, an engineer through the hub.
#include <nlohmann/json.hpp>

#include "edge/agent.h"
#include "edge/event_log.h"
#include "edge/operator/page.h"

namespace millwright::edge {
namespace {

using nlohmann::json;

// A shift: whoever shelved an alarm at the machine is gone after it. The hub, where it is on record, may do it for
// longer.
constexpr int64_t kLongestShelfMinutes = 8 * 60;

}  // namespace

// What the hub asks for, on the MQTT client's thread.
Status Agent::obey(const model::CommandMessage& command) {
  Asset* asset = find(command.asset_id);
  if (asset == nullptr) return fail(ErrorCode::kNotFound, "no asset '{}'", command.asset_id);
  if (command.kind == model::CommandKind::kAcknowledge) {
    asset->acknowledge();
  } else {
    asset->shelve_ns(int64_t{command.minutes} * 60 * 1'000'000'000);
  }
  return {};
}

void Agent::add_pages() {
  const auto file = [this](const char* path, const char* type, std::string_view text) {
    monitor_.add_route({"GET", path, [type, text](const net::http::Request&) {
                          return net::http::Response{.content_type = type, .body = std::string(text)};
                        }});
  };
  file("/", "text/html; charset=utf-8", kPageHtml);
  file("/page.css", "text/css; charset=utf-8", kPageCss);
  file("/page.js", "text/javascript; charset=utf-8", kPageJs);
  for (const char* path : {"/api/acknowledge", "/api/shelve", "/api/label"}) {
    monitor_.add_route({"POST", path, [this](const net::http::Request& request) -> net::http::Response {
                          try {
                            return act(request);
                          } catch (const json::exception&) {
                            return {.status = 400, .body = "a member has the wrong type\n"};
                          }
                        }});
  }
}

// What an operator does at the page, on the server's thread. Each act is an event in the log.
net::http::Response Agent::act(const net::http::Request& request) {
  const json wanted = json::parse(request.body, nullptr, false);
  const std::string id = wanted.is_object() ? wanted.value("asset_id", std::string()) : std::string();
  Asset* const found = find(id);
  if (found == nullptr) return {.status = 404, .body = "no such asset\n"};
  Asset& asset = *found;
  if (request.path == "/api/acknowledge") {
    asset.acknowledge();
    log_event(Level::kInfo, "alarm_acknowledged", {{"asset_id", id}, {"by", "page"}});
    return {.body = "acknowledged\n"};
  }
  if (request.path == "/api/shelve") {
    const json& asked = wanted.contains("minutes") ? wanted["minutes"] : json();
    const int64_t minutes = asked.is_number_integer() ? asked.get<int64_t>() : 0;
    if (minutes < 1 || minutes > kLongestShelfMinutes) {
      return {.status = 400, .body = fmt::format("minutes: 1 to {}\n", kLongestShelfMinutes)};
    }
    asset.shelve_ns(minutes * 60 * 1'000'000'000);
    log_event(Level::kWarning, "alarm_shelved", {{"asset_id", id}, {"minutes", minutes}, {"by", "page"}});
    return {.body = fmt::format("shelved for {} minutes\n", minutes)};
  }
  const std::string label = wanted.value("label", std::string());
  if (const Status kept = asset.label(wanted.value("stroke_id", uint64_t{0}), label); !kept) {
    return {.status = kept.error().code == ErrorCode::kInvalidInput ? 400U : 500U, .body = kept.error().message + "\n"};
  }
  log_event(Level::kInfo, "call_labelled", {{"asset_id", id}, {"label", label}});
  return {.body = "kept, thank you\n"};
}

}  // namespace millwright::edge
