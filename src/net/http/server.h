// SPDX-License-Identifier: Apache-2.0
// A small HTTP/1.1 server for pages, metrics and live events beside the machine: one thread, every size and time
// bounded. No TLS: it listens on loopback, or on an address that somebody chose.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"

namespace millwright::net::http {

inline constexpr size_t kMaxHeaderBytes = 8 << 10;
inline constexpr size_t kMaxBodyBytes = 64 << 10;
inline constexpr int kRequestSeconds = 10;  // from the first byte of a request to its last, and for an answer
inline constexpr int kIdleSeconds = 60;     // of a connection between requests
inline constexpr size_t kMaxQueuedEvents =
    64;  // of one reader, beside what a new one gets first; a slower one is cut off
inline constexpr uint64_t kMaxPendingEvents = 1024;  // while a handler keeps the server's thread

// Views are valid while the handler runs.
struct Request {
  std::string_view method;
  std::string_view path;   // without the query
  std::string_view query;  // behind '?', not decoded
  std::string_view content_type;
  std::string_view body;
};

struct Response {
  unsigned status = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::string body;
};

// Runs on the server's thread and must not wait. What it throws becomes a 500.
using Handler = std::function<Response(const Request&)>;

struct Route {
  std::string method;  // GET or POST
  std::string path;    // exactly
  Handler handler;
};

struct ServerOptions {
  std::string address = "127.0.0.1";  // an IP address
  uint16_t port = 0;                  // 0: any free one
  size_t max_connections = 64;
  std::string events_path;                 // server-sent events; empty: none
  std::vector<std::string> allowed_hosts;  // names by which a browser may call it, beside IP addresses and localhost
};

struct ServerCounters {
  uint64_t requests = 0;
  uint64_t connections = 0;          // now
  uint64_t refused_connections = 0;  // beyond max_connections
  uint64_t bad_requests = 0;         // malformed, too large, too slow, from another site
  uint64_t event_readers = 0;        // now
  uint64_t slow_readers = 0;         // cut off
  uint64_t lost_events = 0;          // beyond kMaxPendingEvents
};

// A page of another site can make a browser call us (CSRF, DNS rebinding): a Host that is neither an IP address, nor
// localhost, nor allowed is refused with 421, a POST whose Origin is not its Host or that is not JSON with 403.
class Server {
 public:
  // kInvalidInput: not an IP address. kUnavailable: the port cannot be listened on, with the reason.
  static Result<std::unique_ptr<Server>> start(const ServerOptions& options, std::vector<Route> routes);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  [[nodiscard]] uint16_t port() const;
  // To every reader of events_path, as `event: name` and `data: text` (one line). Any thread; never waits. What was
  // published last under a name and key is what a new reader gets first. Beyond kMaxPendingEvents it is lost.
  void publish(std::string_view name, std::string_view text, std::string_view key = {});
  [[nodiscard]] ServerCounters counters() const;

 private:
  struct Core;
  explicit Server(std::unique_ptr<Core> core);
  std::unique_ptr<Core> core_;
};

}  // namespace millwright::net::http
