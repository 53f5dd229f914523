// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <memory>
#include <utility>

#include "apps/millwright/command.h"
#include "base/descriptor.h"
#include "net/mqtt/fleet_subscriber.h"

namespace millwright::apps {
namespace {

struct Options {
  net::mqtt::ClientOptions client;
  std::string prefix;
  std::filesystem::path ca;
  std::filesystem::path certificate;
  std::filesystem::path key;
  std::filesystem::path store;
};

// One line per message on stdout. With a file for them, alerts are made durable there and then confirmed to the device.
class Printer final : public net::mqtt::FleetEvents {
 public:
  explicit Printer(Descriptor store) : store_(std::move(store)) {}

  bool on_alert(const model::StrokeMessage&, std::string_view payload) override {
    print("alert", payload);
    if (!store_.valid()) return false;
    const std::string line = one_line(payload) + "\n";
    const off_t before = ::lseek(store_.get(), 0, SEEK_END);
    if (::write(store_.get(), line.data(), line.size()) == static_cast<ssize_t>(line.size()) &&
        ::fdatasync(store_.get()) == 0) {
      return true;
    }
    if (!std::exchange(told_, true)) std::perror("millwright: an alert is not made durable, and not confirmed");
    // Half a line would spoil the next one.
    [[maybe_unused]] const int cut = ::ftruncate(store_.get(), before);
    return false;
  }
  void on_score(const model::StrokeMessage&, std::string_view payload) override { print("score", payload); }
  void on_health(const model::TopicParts&, const model::HealthMessage& message) override {
    print("health", model::health_message(message));
  }
  void on_features(const model::TopicParts&, const model::FeaturesMessage&, std::string_view payload) override {
    print("features", payload);
  }
  void on_status(const model::TopicParts&, const model::StatusMessage& message) override {
    print("status", model::status_message(message));
  }
  void on_refused(std::string_view, const Error& why) override {
    std::fprintf(stderr, "millwright: refused a message: %s\n", why.message.c_str());
  }
  void on_ack_refused(uint8_t reason) override {
    if (std::exchange(told_refused_, true)) return;
    std::fprintf(stderr,
                 "millwright: the broker refuses our acknowledgements (%s), so that the boxes keep their alerts; only "
                 "the hub's certificate may write them, its common name is millwright-hub in deploy/mosquitto\n",
                 std::string(net::mqtt::reason_name(reason)).c_str());
  }

 private:
  // A line break in JSON is a space between two of its tokens; here it would be the end of a message.
  static std::string one_line(std::string_view payload) {
    std::string line(payload);
    std::ranges::replace_if(line, [](char c) { return c == '\n' || c == '\r'; }, ' ');
    return line;
  }
  static void print(const char* kind, std::string_view payload) {
    fmt::print("{{\"kind\":\"{}\",\"content\":{}}}\n", kind, one_line(payload));
    std::fflush(stdout);
  }
  Descriptor store_;
  bool told_ = false;
  bool told_refused_ = false;
};

bool heard_nothing(const net::mqtt::FleetFigures& heard) {
  return heard.alerts + heard.scores + heard.health + heard.features + heard.status + heard.refused == 0;
}

// Until one of the signals comes. A broker that is not there and one with nothing to say look alike: each change is
// told. The last thing told.
std::string wait_for(const sigset_t& ends, const net::mqtt::FleetSubscriber& subscriber) {
  constexpr timespec kSecond{.tv_sec = 1, .tv_nsec = 0};
  constexpr int kSilentSeconds = 5;
  int listened = 0;
  std::string told;
  while (::sigtimedwait(&ends, nullptr, &kSecond) < 0) {
    listened = subscriber.listening() ? listened + 1 : 0;
    // A broker may grant what its list then lets nothing through for.
    if (listened == kSilentSeconds && heard_nothing(subscriber.figures())) {
      std::fprintf(
          stderr,
          "millwright: nothing came in %d s, not even the retained status of a box: does the broker's list let "
          "this certificate or user read factory/#, is --prefix right, was a box ever connected?\n",
          kSilentSeconds);
    }
    std::string now = listened > 0 ? "listening" : subscriber.trouble();
    if (now.empty() || now == told) continue;
    std::fprintf(stderr, "millwright: %s\n", now.c_str());
    told = std::move(now);
  }
  return told;
}

Result<int> listen(Options options) {
  Descriptor store;
  if (options.client.client_id.empty()) {
    // Who only looks may look twice at once; who confirms keeps his place in the queue.
    const bool keeps = !options.store.empty();
    options.client.client_id = keeps ? "millwright-listen" : fmt::format("millwright-listen-{}", ::getpid());
    options.client.session_expiry_s = keeps ? 3600 : 0;
  }
  if (!options.store.empty()) {
    store = Descriptor(::open(options.store.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644));
    if (!store.valid()) return fail(ErrorCode::kIo, "{}: cannot be written", options.store.string());
  }
  if (!options.ca.empty()) {
    options.client.tls = net::mqtt::TlsOptions{
        .ca_file = options.ca, .certificate_file = options.certificate, .key_file = options.key, .allow_tls12 = false};
  }
  MW_CHECK_OK(net::mqtt::check(options.client));
  options.client.backoff_limit_ms = 5'000;  // somebody waits for it
  sigset_t ends;
  sigemptyset(&ends);
  for (const int signal : {SIGINT, SIGTERM}) sigaddset(&ends, signal);
  // Before any thread, so that none of them takes it.
  ::pthread_sigmask(SIG_BLOCK, &ends, nullptr);
  Printer printer(std::move(store));
  const auto subscriber = MW_TRY(net::mqtt::FleetSubscriber::start(options.client, options.prefix, printer));
  const std::string told = wait_for(ends, *subscriber);
  const bool heard_nobody = subscriber->connection().connects == 0;
  subscriber->stop();
  const net::mqtt::FleetFigures heard = subscriber->figures();
  fmt::print(stderr, "millwright: {} alerts, {} scores, {} repeats, {} refused{}\n", heard.alerts, heard.scores,
             heard.duplicates, heard.refused,
             heard.acks_refused == 0
                 ? std::string()
                 : fmt::format("; {} of {} acknowledgements refused by the broker", heard.acks_refused, heard.acks));
  if (heard.acks_refused > 0) return exit_status(ErrorCode::kUnavailable);
  if (!heard_nobody) return 0;
  // What was told is not told again.
  if (told == subscriber->trouble()) return exit_status(ErrorCode::kUnavailable);
  return fail(ErrorCode::kUnavailable, "{}", subscriber->trouble());
}

}  // namespace

Command listen_command(CLI::App& program) {
  auto options = std::make_shared<Options>();
  CLI::App* app =
      program.add_subcommand("listen", "show what all boxes on a broker say, one JSON line each, until Ctrl-C");
  app->add_option("--host", options->client.host, "the broker")->required();
  app->add_option("--port", options->client.port, "its port (8883; without TLS mostly 1883)");
  app->add_option("--prefix", options->prefix, "of every topic");
  app->add_option("--client-id", options->client.client_id, "stable, so that the broker keeps messages meanwhile");
  app->add_option("--ca", options->ca, "PEM; without it there is no TLS");
  app->add_option("--certificate", options->certificate, "PEM, ours");
  app->add_option("--key", options->key, "PEM, ours");
  app->add_option("--credentials", options->client.credentials_file, "a file of two lines: user and password");
  app->add_option("--confirm-into", options->store,
                  "a file: each alert is made durable there, then confirmed, and leaves the box; without it boxes keep "
                  "theirs. Needs "
                  "the hub's certificate (common name millwright-hub in deploy/mosquitto): nobody else may confirm");
  return {app, [options] { return listen(*options); }};
}

}  // namespace millwright::apps
