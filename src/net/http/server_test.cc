// SPDX-License-Identifier: Apache-2.0
#include "net/http/server.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <array>
#include <semaphore>
#include <stdexcept>

#include "base/descriptor.h"
#include "net/http/request_rules.h"

namespace millwright::net::http {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

// A client that sends what it is told, well-formed or not.
class Client {
 public:
  explicit Client(uint16_t port) : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ = ::connect(socket_.get(), reinterpret_cast<sockaddr*>(&to), sizeof to) == 0;
    const timeval patience{.tv_sec = 5, .tv_usec = 0};
    ::setsockopt(socket_.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  }
  void send(std::string_view text) { (void)::send(socket_.get(), text.data(), text.size(), MSG_NOSIGNAL); }
  // Until `end` was read, or the far side closed.
  std::string read_until(std::string_view end) {
    std::array<char, 4096> piece{};
    while (end.empty() || text_.find(end) == std::string::npos) {
      const ssize_t n = ::recv(socket_.get(), piece.data(), piece.size(), 0);
      if (n <= 0) break;
      text_.append(piece.data(), static_cast<size_t>(n));
    }
    return text_;
  }
  std::string ask(const std::string& request) {
    send(request);
    return read_until("");
  }
  [[nodiscard]] bool connected() const { return connected_; }

 private:
  Descriptor socket_;
  bool connected_ = false;
  std::string text_;
};

std::string get(const std::string& path, const std::string& host = "127.0.0.1") {
  return "GET " + path + " HTTP/1.1\r\nHost: " + host + "\r\nConnection: close\r\n\r\n";
}

std::string post(const std::string& body, const std::string& more) {
  return "POST /echo HTTP/1.1\r\nHost: 127.0.0.1:8000\r\nConnection: close\r\n" + more +
         "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

class ServerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::vector<Route> routes;
    routes.push_back({"GET", "/metrics", [](const Request&) { return Response{.body = "up 1\n"}; }});
    routes.push_back({"POST", "/echo", [](const Request& r) { return Response{.body = std::string(r.body)}; }});
    routes.push_back({"GET", "/query", [](const Request& r) { return Response{.body = std::string(r.query)}; }});
    routes.push_back({"GET", "/throws", [](const Request&) -> Response { throw std::runtime_error("secret"); }});
    routes.push_back({"GET", "/waits", [this](const Request&) {
                        waiting_.release();
                        go_on_.acquire();
                        return Response{.body = "done\n"};
                      }});
    auto started = Server::start({.max_connections = 4, .events_path = "/events"}, std::move(routes));
    ASSERT_TRUE(started.has_value()) << started.error().message;
    server_ = std::move(*started);
  }
  std::string ask(const std::string& request) { return Client(server_->port()).ask(request); }

  std::binary_semaphore waiting_{0};
  std::binary_semaphore go_on_{0};
  std::unique_ptr<Server> server_;
};

TEST_F(ServerTest, AnswersAPageWithHeadersThatKeepABrowserSafe) {
  const std::string answer = ask(get("/metrics"));
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(answer, HasSubstr("Content-Security-Policy: default-src 'none'"));
  EXPECT_THAT(answer, HasSubstr("\r\n\r\nup 1\n"));
}

TEST_F(ServerTest, KeepsAConnectionForTheNextRequest) {
  Client client(server_->port());
  client.send("GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\nGET /query?a=1 HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_THAT(client.read_until("a=1"), HasSubstr("up 1\n"));
}

TEST_F(ServerTest, SaysWhatIsNotThere) {
  EXPECT_THAT(ask(get("/nowhere")), StartsWith("HTTP/1.1 404"));
  EXPECT_THAT(ask(get("/echo")), StartsWith("HTTP/1.1 405"));
  const std::string failed = ask(get("/throws"));
  EXPECT_THAT(failed, StartsWith("HTTP/1.1 500"));
  EXPECT_THAT(failed, ::testing::Not(HasSubstr("secret")));
}

TEST_F(ServerTest, RefusesWhatAPageOfAnotherSiteCouldSend) {
  const std::string json = "Content-Type: application/json\r\n";
  EXPECT_THAT(ask(post("{}", json)), StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(ask(post("{}", json + "Origin: http://127.0.0.1:8000\r\n")), StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(ask(post("{}", json + "Origin: http://evil.example\r\n")), StartsWith("HTTP/1.1 403"));
  EXPECT_THAT(ask(post("{}", "Content-Type: text/plain\r\n")), StartsWith("HTTP/1.1 403"));
  EXPECT_THAT(ask(get("/metrics", "rebound.example")), StartsWith("HTTP/1.1 421"));
}

TEST_F(ServerTest, BoundsHeadersAndBodies) {
  EXPECT_THAT(ask("GET /metrics HTTP/1.1\r\nHost: localhost\r\nX: " + std::string(kMaxHeaderBytes, 'x') + "\r\n\r\n"),
              StartsWith("HTTP/1.1 400"));
  EXPECT_THAT(ask(post(std::string(kMaxBodyBytes + 1, 'x'), "Content-Type: application/json\r\n")),
              StartsWith("HTTP/1.1 413"));
  EXPECT_THAT(ask("\x01\x02 nonsense\r\n\r\n"), StartsWith("HTTP/1.1 400"));
  EXPECT_GE(server_->counters().bad_requests, 3U);
  EXPECT_THAT(ask(get("/metrics")), StartsWith("HTTP/1.1 200")) << "it goes on";
}

TEST_F(ServerTest, GivesEventsToAllReadersAndTheLatestToANewOne) {
  server_->publish("verdict", "{\"first\":1}");
  Client reader(server_->port());
  reader.send(get("/events"));
  EXPECT_THAT(reader.read_until("{\"first\":1}\n\n"), HasSubstr("text/event-stream"));
  server_->publish("verdict", "{\"second\":2}");
  EXPECT_THAT(reader.read_until("{\"second\":2}\n\n"), HasSubstr("event: verdict\ndata: {\"second\":2}\n\n"));
  EXPECT_EQ(server_->counters().event_readers, 1U);
  server_->publish("verdict", "{\"other\":1}", "other key");
  Client late(server_->port());
  late.send(get("/events"));
  EXPECT_THAT(late.read_until("{\"other\":1}\n\n"), HasSubstr("{\"second\":2}")) << "the latest of each key";
}

TEST_F(ServerTest, KeepsNoMoreThanItsBoundOfEventsWhileAHandlerHoldsItsThread) {
  Client slow(server_->port());
  slow.send(get("/waits"));
  waiting_.acquire();
  constexpr uint64_t kTooMany = 10;
  for (uint64_t i = 0; i < kMaxPendingEvents + kTooMany; ++i) server_->publish("verdict", std::to_string(i));
  EXPECT_EQ(server_->counters().lost_events, kTooMany);
  go_on_.release();
  EXPECT_THAT(slow.read_until("done"), HasSubstr("200 OK"));
  // Its answer may be there before the thread has seen the events.
  uint64_t lost = 0;
  do {
    lost = server_->counters().lost_events;
    server_->publish("verdict", "the newest");
  } while (server_->counters().lost_events != lost);
  Client reader(server_->port());
  reader.send(get("/events"));
  EXPECT_THAT(reader.read_until("the newest"), HasSubstr("the newest"));
}

TEST_F(ServerTest, RefusesConnectionsBeyondItsBoundAndTakesOthersAfterwards) {
  {
    std::vector<std::unique_ptr<Client>> held;
    for (int i = 0; i < 4; ++i) {
      held.push_back(std::make_unique<Client>(server_->port()));
      held.back()->send("GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n");
      ASSERT_THAT(held.back()->read_until("up 1"), HasSubstr("200 OK"));
    }
    EXPECT_EQ(ask(get("/metrics")), "");
    EXPECT_EQ(server_->counters().refused_connections, 1U);
  }
  std::string answer;
  for (int i = 0; i < 1'000 && answer.empty(); ++i) answer = ask(get("/metrics"));
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 200"));
}

TEST_F(ServerTest, SaysThatItsPortIsTaken) {
  const auto second = Server::start({.port = server_->port()}, {});
  ASSERT_FALSE(second.has_value());
  EXPECT_THAT(second.error().message, HasSubstr("cannot listen on 127.0.0.1 port"));
  EXPECT_THAT(Server::start({.address = "press7"}, {}).error().message, HasSubstr("not an IP address"));
}

TEST(RequestRules, KnowHostsAndOrigins) {
  const std::vector<std::string> allowed = {"press7.plant"};
  for (const char* good : {"127.0.0.1:8000", "[::1]:8000", "localhost", "press7.plant:8000", "10.1.2.3"}) {
    EXPECT_TRUE(host_allowed(good, allowed)) << good;
  }
  for (const char* bad : {"", "evil.example", "127.0.0.1.evil.example", "[::1", "press7.plant.evil"}) {
    EXPECT_FALSE(host_allowed(bad, allowed)) << bad;
  }
  EXPECT_TRUE(same_origin("", "a"));
  EXPECT_FALSE(same_origin("null", "a"));
  EXPECT_FALSE(same_origin("http://a.b", "a"));
}

}  // namespace
}  // namespace millwright::net::http
