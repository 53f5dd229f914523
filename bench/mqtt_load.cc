// SPDX-License-Identifier: Apache-2.0
// The load of the race with an MQTT service: publishes windows, waits for one answer to each, keeps so many unanswered.
// Answers come in the order of the questions; a connection that ends is the end of the run.
// usage: mqtt_load PORT ASK_TOPIC ANSWER_TOPIC WINDOWS.f32 SAMPLES UNANSWERED SECONDS WARM_UP_SECONDS
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <condition_variable>
#include <cstdio>
#include <deque>
#include <mutex>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/files.h"
#include "net/mqtt/client.h"

namespace {

using namespace millwright;
using net::mqtt::Client;

constexpr int64_t kNanosPerSecond = 1'000'000'000;
constexpr uint64_t kMaxFile = 1 << 30;
constexpr int64_t kQuietNs = kNanosPerSecond;  // for what a service says before it is asked

struct Options {
  std::string ask, answer;
  std::vector<std::string> windows;
  size_t unanswered = 1;
  int64_t warm_up_ns = 0;
  int64_t run_ns = 0;
};

class Load final : public net::mqtt::ClientEvents {
 public:
  explicit Load(const Options& options) : options_(options) {}

  void begin(Client& client) {
    const std::lock_guard lock(mutex_);
    client_ = &client;
    begin_ns_ = clock_.monotonic_ns();
    for (size_t i = 0; i < options_.unanswered; ++i) ask();
  }
  // False: the broker, or the service, did not do its part.
  bool wait_subscribed() {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(10), [this] { return subscribed_; });
  }
  // Asks now and then until the service answers: it may take long to start.
  bool wait_service(Client& client) {
    constexpr int kTries = 120;
    std::unique_lock lock(mutex_);
    for (int i = 0; i < kTries && answers_ == 0; ++i) {
      ++count_;
      if (!client.publish({.topic = options_.ask, .payload = options_.windows[0], .qos = 1})) return false;
      changed_.wait_for(lock, std::chrono::milliseconds(500), [this] { return answers_ > 0; });
    }
    return answers_ > 0;
  }
  bool wait_done() {
    std::unique_lock lock(mutex_);
    const auto patience = std::chrono::nanoseconds(options_.warm_up_ns + options_.run_ns) + std::chrono::seconds(20);
    return changed_.wait_for(lock, patience, [this] { return done_; }) && failure_.empty();
  }
  void print() {
    const std::lock_guard lock(mutex_);
    std::ranges::sort(latencies_);
    const auto at = [this](double share) {
      if (latencies_.empty()) return 0.0;
      const auto index = static_cast<size_t>(share * static_cast<double>(latencies_.size() - 1));
      return static_cast<double>(latencies_[index]) * 1e-6;
    };
    const double seconds = static_cast<double>(end_ns_ - begin_ns_ - options_.warm_up_ns) / kNanosPerSecond;
    fmt::print(
        R"({{"asked":{},"windows":{},"windows_per_s":{:.1f},"p50_ms":{:.3f},"p99_ms":{:.3f},"max_ms":{:.3f},"error":"{}"}})"
        "\n",
        count_, latencies_.size(), static_cast<double>(latencies_.size()) / seconds, at(0.5), at(0.99), at(1.0),
        failure_);
  }

  void on_subscribed(std::string_view, const Status& result) override {
    const std::lock_guard lock(mutex_);
    subscribed_ = result.has_value();
    changed_.notify_all();
  }
  void on_disconnected(std::string_view why) override {
    const std::lock_guard lock(mutex_);
    if (client_ != nullptr && !done_) finish(why);
  }
  void on_message(std::string_view, std::string_view, bool) override {
    const std::lock_guard lock(mutex_);
    if (client_ == nullptr) {
      ++answers_;
      changed_.notify_all();
    }
    if (client_ == nullptr || done_ || asked_ns_.empty()) return;
    const int64_t now = clock_.monotonic_ns();
    const int64_t asked = asked_ns_.front();
    asked_ns_.pop_front();
    if (asked - begin_ns_ >= options_.warm_up_ns) latencies_.push_back(now - asked);
    if (now - begin_ns_ >= options_.warm_up_ns + options_.run_ns) return finish("");
    ask();
  }

 private:
  void ask() {
    asked_ns_.push_back(clock_.monotonic_ns());
    const std::string& window = options_.windows[count_++ % options_.windows.size()];
    if (!client_->publish({.topic = options_.ask, .payload = window, .qos = 1})) finish("not published");
  }
  void finish(std::string_view why) {
    done_ = true;
    failure_ = why;
    end_ns_ = clock_.monotonic_ns();
    changed_.notify_all();
  }

  const Options& options_;
  SystemClock clock_;
  std::mutex mutex_;
  std::condition_variable changed_;
  Client* client_ = nullptr;
  bool subscribed_ = false;
  uint64_t answers_ = 0;  // before the run
  bool done_ = false;
  std::string failure_;
  int64_t begin_ns_ = 0;
  int64_t end_ns_ = 0;
  uint64_t count_ = 0;
  std::deque<int64_t> asked_ns_;
  std::vector<int64_t> latencies_;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 9) {
    std::fputs("usage: mqtt_load PORT ASK ANSWER WINDOWS.f32 SAMPLES UNANSWERED SECONDS WARM_UP_SECONDS\n", stderr);
    return 2;
  }
  const auto number = [&](int at) { return static_cast<int64_t>(std::strtoll(argv[at], nullptr, 10)); };
  Options options{.ask = argv[2],
                  .answer = argv[3],
                  .unanswered = static_cast<size_t>(number(6)),
                  .warm_up_ns = number(8) * kNanosPerSecond,
                  .run_ns = number(7) * kNanosPerSecond};
  const auto bytes = read_text_file(argv[4], kMaxFile);
  if (!bytes) {
    fmt::print(stderr, "mqtt_load: {}\n", bytes.error().message);
    return 3;
  }
  const size_t window = static_cast<size_t>(number(5)) * sizeof(float);
  for (size_t at = 0; at + window <= bytes->size(); at += window) options.windows.push_back(bytes->substr(at, window));
  Load load(options);
  net::mqtt::ClientOptions client_options;
  client_options.host = "127.0.0.1";
  client_options.port = static_cast<uint16_t>(number(1));
  client_options.client_id = "mqtt-load";
  client_options.filters = {options.answer};
  client_options.backoff_first_ms = 10;
  client_options.queue_bytes = size_t{64} << 20;
  client_options.in_flight = 1000;
  auto client = Client::start(client_options, load);
  if (!client || options.windows.empty() || !load.wait_subscribed() || !load.wait_service(**client)) {
    std::fputs("mqtt_load: no windows, no broker, or no service\n", stderr);
    return 3;
  }
  ::usleep(kQuietNs / 1000);
  fmt::print("begun\n");
  std::fflush(stdout);
  load.begin(**client);
  const bool good = load.wait_done();
  // What counts as asked has reached the broker.
  for (int i = 0; i < 500 && (*client)->figures().queued + (*client)->figures().in_flight > 0; ++i) ::usleep(10'000);
  load.print();
  (*client)->stop();
  return good ? 0 : 3;
}
