// SPDX-License-Identifier: Apache-2.0
#include "net/http/server.h"

#include <pthread.h>

#include <atomic>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <csignal>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <thread>

#include "base/check.h"
#include "net/http/request_rules.h"

namespace millwright::net::http {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace wire = boost::beast::http;
using asio::ip::tcp;
using Message = wire::response<wire::string_body>;

constexpr auto kToTuple = asio::as_tuple(asio::use_awaitable);
constexpr std::string_view kPolicy =
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

std::string_view view(beast::string_view text) { return {text.data(), text.size()}; }

using Event = std::shared_ptr<const std::string>;

// One browser that listens; `bell` is cancelled when there is something in the queue.
struct Reader {
  explicit Reader(const asio::any_io_executor& executor) : bell(executor) {}
  std::deque<Event> queue;
  asio::steady_timer bell;
  bool cut_off = false;
};

}  // namespace

struct Server::Core {
  ServerOptions options;
  std::vector<Route> routes;
  asio::io_context context{1};
  tcp::acceptor acceptor{context};
  std::thread thread;
  // The server's thread only.
  std::set<std::shared_ptr<Reader>> readers;
  std::map<std::string, Event> latest;  // by name and key
  // Any thread.
  std::atomic<uint64_t> connections{0};  // the server's thread alone changes it
  std::atomic<uint64_t> requests{0};
  std::atomic<uint64_t> refused{0};
  std::atomic<uint64_t> bad{0};
  std::atomic<uint64_t> listening{0};
  std::atomic<uint64_t> slow{0};
  std::atomic<uint64_t> pending{0};  // events that the server's thread has not seen yet
  std::atomic<uint64_t> lost{0};

  Status listen();
  asio::awaitable<void> accept();
  asio::awaitable<void> serve(tcp::socket socket);
  asio::awaitable<bool> serve_one(beast::tcp_stream& stream, beast::flat_buffer& buffer);
  asio::awaitable<void> stream_events(beast::tcp_stream& stream);
  Message answer(const wire::request<wire::string_body>& request);
  Response respond(const wire::request<wire::string_body>& request);
  void spread(const std::string& slot, const Event& event);
};

Status Server::Core::listen() {
  beast::error_code error;
  const auto address = asio::ip::make_address(options.address, error);
  if (error) return fail(ErrorCode::kInvalidInput, "'{}' is not an IP address", options.address);
  const tcp::endpoint endpoint(address, options.port);
  acceptor.open(endpoint.protocol(), error);
  if (!error) acceptor.set_option(asio::socket_base::reuse_address(true), error);
  if (!error) acceptor.bind(endpoint, error);
  if (!error) acceptor.listen(asio::socket_base::max_listen_connections, error);
  if (error) {
    return fail(ErrorCode::kUnavailable, "cannot listen on {} port {}: {}; does another program use it?",
                options.address, options.port, error.message());
  }
  return {};
}

asio::awaitable<void> Server::Core::accept() {
  while (acceptor.is_open()) {
    auto [error, socket] = co_await acceptor.async_accept(kToTuple);
    if (error == asio::error::operation_aborted) co_return;
    if (error) {
      // Out of descriptors, mostly: others must be given back first.
      asio::steady_timer pause(context, std::chrono::milliseconds(100));
      co_await pause.async_wait(kToTuple);
      continue;
    }
    if (connections >= options.max_connections) {
      refused.fetch_add(1, std::memory_order_relaxed);
      continue;  // closes it
    }
    ++connections;
    asio::co_spawn(context, serve(std::move(socket)), [this](std::exception_ptr) { --connections; });
  }
}

asio::awaitable<void> Server::Core::serve(tcp::socket socket) {
  beast::tcp_stream stream(std::move(socket));
  beast::flat_buffer buffer(kMaxHeaderBytes + kMaxBodyBytes);
  while (co_await serve_one(stream, buffer)) {
  }
  beast::error_code ignored;
  stream.socket().shutdown(tcp::socket::shutdown_send, ignored);
}

// False: the connection is over.
asio::awaitable<bool> Server::Core::serve_one(beast::tcp_stream& stream, beast::flat_buffer& buffer) {
  if (buffer.size() == 0) {
    stream.expires_after(std::chrono::seconds(kIdleSeconds));
    auto [error, n] = co_await stream.async_read_some(buffer.prepare(kMaxHeaderBytes), kToTuple);
    if (error) co_return false;
    buffer.commit(n);
  }
  stream.expires_after(std::chrono::seconds(kRequestSeconds));
  wire::request_parser<wire::string_body> parser;
  parser.header_limit(kMaxHeaderBytes);
  parser.body_limit(kMaxBodyBytes);
  auto [error, n] = co_await wire::async_read(stream, buffer, parser, kToTuple);
  if (error == wire::error::end_of_stream) co_return false;
  if (error) {
    bad.fetch_add(1, std::memory_order_relaxed);
    Message refusal(error == wire::error::body_limit ? wire::status::payload_too_large : wire::status::bad_request, 11);
    refusal.keep_alive(false);
    refusal.prepare_payload();
    if (!stream.socket().is_open()) co_return false;
    co_await wire::async_write(stream, refusal, kToTuple);
    co_return false;
  }
  requests.fetch_add(1, std::memory_order_relaxed);
  const auto request = parser.release();
  Message response = answer(request);
  const bool events =
      response.result() == wire::status::ok && !options.events_path.empty() && request.target() == options.events_path;
  if (events) {
    co_await stream_events(stream);
    co_return false;
  }
  stream.expires_after(std::chrono::seconds(kRequestSeconds));
  auto [write_error, written] = co_await wire::async_write(stream, response, kToTuple);
  co_return !write_error && response.keep_alive();
}

Message Server::Core::answer(const wire::request<wire::string_body>& request) {
  Response response = respond(request);
  if (response.status >= 400) bad.fetch_add(1, std::memory_order_relaxed);
  Message message(static_cast<wire::status>(response.status), request.version());
  message.set(wire::field::content_type, response.content_type);
  message.set("Content-Security-Policy", kPolicy);
  message.set("X-Content-Type-Options", "nosniff");
  message.set(wire::field::cache_control, "no-store");
  message.keep_alive(request.keep_alive());
  message.body() = std::move(response.body);
  message.prepare_payload();
  if (request.method() == wire::verb::head) message.body().clear();
  return message;
}

Response Server::Core::respond(const wire::request<wire::string_body>& request) {
  const std::string_view host = view(request[wire::field::host]);
  const bool post = request.method() == wire::verb::post;
  if (!host_allowed(host, options.allowed_hosts)) return {.status = 421, .body = "unknown host name\n"};
  if (post && !same_origin(view(request[wire::field::origin]), host)) {
    return {.status = 403, .body = "from another site\n"};
  }
  if (post && !view(request[wire::field::content_type]).starts_with("application/json")) {
    return {.status = 403, .body = "only application/json\n"};
  }
  const std::string_view target = view(request.target());
  const size_t mark = target.find('?');
  const Request asked{.method = request.method() == wire::verb::head ? "GET" : view(request.method_string()),
                      .path = target.substr(0, mark),
                      .query = mark == std::string_view::npos ? std::string_view() : target.substr(mark + 1),
                      .content_type = view(request[wire::field::content_type]),
                      .body = request.body()};
  if (!options.events_path.empty() && target == options.events_path && asked.method == "GET") return {};
  bool path_known = false;
  for (const Route& route : routes) {
    if (route.path != asked.path) continue;
    path_known = true;
    if (route.method != asked.method) continue;
    try {
      return route.handler(asked);
    } catch (const std::exception&) {
      return {.status = 500, .body = "internal error\n"};
    }
  }
  if (path_known) return {.status = 405, .body = "method not allowed\n"};
  return {.status = 404, .body = "no such page\n"};
}

asio::awaitable<void> Server::Core::stream_events(beast::tcp_stream& stream) {
  static constexpr std::string_view kHead =
      "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\n"
      "X-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n";
  const auto reader = std::make_shared<Reader>(stream.get_executor());
  reader->queue.push_back(std::make_shared<const std::string>(kHead));
  for (const auto& [slot, event] : latest) reader->queue.push_back(event);
  readers.insert(reader);
  listening.store(readers.size(), std::memory_order_relaxed);
  bool good = true;
  while (good && !reader->cut_off) {
    while (good && !reader->queue.empty()) {
      const Event event = reader->queue.front();
      reader->queue.pop_front();
      stream.expires_after(std::chrono::seconds(kRequestSeconds));
      auto [error, n] = co_await asio::async_write(stream, asio::buffer(*event), kToTuple);
      good = !error;
    }
    if (!good || reader->cut_off) break;
    reader->bell.expires_after(std::chrono::seconds(15));
    auto [rung] = co_await reader->bell.async_wait(kToTuple);
    // Nothing happened for a while: a comment finds out whether anybody is still there.
    if (!rung && reader->queue.empty()) reader->queue.push_back(std::make_shared<const std::string>(":\n\n"));
  }
  readers.erase(reader);
  listening.store(readers.size(), std::memory_order_relaxed);
}

void Server::Core::spread(const std::string& slot, const Event& event) {
  latest[slot] = event;
  for (const auto& reader : readers) {
    if (reader->queue.size() >= kMaxQueuedEvents + latest.size()) {
      if (!std::exchange(reader->cut_off, true)) slow.fetch_add(1, std::memory_order_relaxed);
    } else {
      reader->queue.push_back(event);
    }
    reader->bell.cancel();
  }
}

Server::Server(std::unique_ptr<Core> core) : core_(std::move(core)) {}

Result<std::unique_ptr<Server>> Server::start(const ServerOptions& options, std::vector<Route> routes) {
  auto core = std::make_unique<Core>();
  core->options = options;
  core->routes = std::move(routes);
  MW_CHECK_OK(core->listen());
  asio::co_spawn(core->context, core->accept(), asio::detached);
  core->thread = std::thread([raw = core.get()] {
    pthread_setname_np(pthread_self(), "http");
    raw->context.run();
  });
  return std::unique_ptr<Server>(new Server(std::move(core)));
}

Server::~Server() {
  core_->context.stop();
  core_->thread.join();
}

uint16_t Server::port() const {
  beast::error_code error;
  return core_->acceptor.local_endpoint(error).port();
}

void Server::publish(std::string_view name, std::string_view text, std::string_view key) {
  MW_CHECK(text.find('\n') == std::string_view::npos, "an event is one line");
  if (core_->pending.fetch_add(1, std::memory_order_relaxed) >= kMaxPendingEvents) {
    core_->pending.fetch_sub(1, std::memory_order_relaxed);
    core_->lost.fetch_add(1, std::memory_order_relaxed);
    return;
  }
  auto event =
      std::make_shared<const std::string>("event: " + std::string(name) + "\ndata: " + std::string(text) + "\n\n");
  asio::post(core_->context,
             [core = core_.get(), slot = std::string(name) + '\n' + std::string(key), event = std::move(event)] {
               core->pending.fetch_sub(1, std::memory_order_relaxed);
               core->spread(slot, event);
             });
}

ServerCounters Server::counters() const {
  return {.requests = core_->requests.load(std::memory_order_relaxed),
          .connections = core_->connections.load(std::memory_order_relaxed),
          .refused_connections = core_->refused.load(std::memory_order_relaxed),
          .bad_requests = core_->bad.load(std::memory_order_relaxed),
          .event_readers = core_->listening.load(std::memory_order_relaxed),
          .slow_readers = core_->slow.load(std::memory_order_relaxed),
          .lost_events = core_->lost.load(std::memory_order_relaxed)};
}

}  // namespace millwright::net::http
