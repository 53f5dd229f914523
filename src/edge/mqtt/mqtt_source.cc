// SPDX-License-Identifier: Apache-2.0
#include "edge/mqtt/mqtt_source.h"

#include <algorithm>

namespace millwright::edge {
namespace {

// A thread that is not held up sees its socket empty at least as often, and a message that it then reads has just come.
constexpr int64_t kLongestPollMs = 10;
constexpr int64_t kPromptNs = 25'000'000;
// What is somewhat too long is heard, so that it can be named.
constexpr size_t kStrange = 4096;

net::mqtt::ClientOptions client_options(const MqttSourceOptions& options, size_t payload_limit) {
  net::mqtt::ClientOptions client = options.broker;
  client.filters = {options.topic};
  client.inbound_limit = 2 * payload_limit + kStrange;
  client.longest_poll_ms = kLongestPollMs;
  client.session_expiry_s = 0;  // what a broker kept for us would be judged late, if at all
  return client;
}

}  // namespace

Result<std::unique_ptr<MqttSource>> MqttSource::create(MqttSourceOptions options, const Clock& clock) {
  std::unique_ptr<MqttSource> source(new MqttSource(std::move(options), clock));
  source->client_ =
      MW_TRY(net::mqtt::Client::start(client_options(source->options_, source->inbox_.payload_limit()), *source));
  return source;
}

MqttSource::MqttSource(MqttSourceOptions options, const Clock& clock)
    : options_(std::move(options)), clock_(clock), inbox_(options_.inbox) {}

MqttSource::~MqttSource() {
  if (client_) client_->stop();
}

Block MqttSource::next(size_t max_frames, int64_t until_ns) {
  while (!waiter_.stopped()) {
    if (auto block = inbox_.take(max_frames)) return *block;
    if (clock_.monotonic_ns() >= until_ns) break;
    const bool sleeps = inbox_.may_sleep();
    const auto woken = sleeps ? waiter_.wait_until(clock_, until_ns, inbox_.event()) : Waiter::Woken::kReadable;
    inbox_.awake();
    if (woken == Waiter::Woken::kTime) break;
  }
  return {.kind = waiter_.stopped() ? Block::Kind::kStopped : Block::Kind::kIdle};
}

std::optional<SourceLink> MqttSource::link() const {
  const std::lock_guard lock(mutex_);
  return SourceLink{.up = subscribed_, .connects = subscriptions_, .why = why_};
}

void MqttSource::on_disconnected(std::string_view why) {
  const std::lock_guard lock(mutex_);
  subscribed_ = false;
  why_ = why;
}

void MqttSource::on_subscribed(std::string_view, const Status& result) {
  const std::lock_guard lock(mutex_);
  subscribed_ = result.has_value();
  if (subscribed_) ++subscriptions_;
  why_ = result ? std::string() : result.error().message;
}

// A network says nothing of when a message was sent. Was this thread held up, it counts as old as it may be: a stroke
// that is called late too often is a NO_VERDICT, one that is called late too seldom is a late GO.
void MqttSource::on_message(std::string_view, std::string_view payload, bool retained) {
  // It would be judged again with every connection.
  if (retained) return inbox_.refuse("a retained message; publish samples without retain");
  const int64_t now = clock_.monotonic_ns();
  inbox_.put(payload, now - emptied_ns_ <= kPromptNs ? now : emptied_ns_);
}

Status check_source(const MqttSourceOptions& options) {
  constexpr int64_t kProbeMs = 5'000;
  return net::mqtt::probe(client_options(options, SampleInbox(options.inbox).payload_limit()), kProbeMs);
}

}  // namespace millwright::edge
