// SPDX-License-Identifier: Apache-2.0
#include "net/mqtt/worker.h"

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>

#include "base/check.h"
#include "base/clock.h"

namespace millwright::net::mqtt {
namespace {

constexpr int64_t kNanosPerMilli = 1'000'000;
constexpr int64_t kKeepAliveNs = 1'000 * kNanosPerMilli;
constexpr int kGoodbyeMs = 500;
constexpr auto kOpeningGrace = std::chrono::milliseconds(500);
constexpr size_t kBatch = 64;
// A connection that was up for as long was worth having, even if it ends now.
constexpr int64_t kSteadyBackoffs = 3;

int64_t now_ns() { return SystemClock().monotonic_ns(); }

// Signals are for the program's own threads.
void block_signals() {
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, nullptr);
}

}  // namespace

Client::Worker::Worker(ClientOptions options, ClientEvents& events)
    : options_(std::move(options)),
      events_(&events),
      wake_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)),
      backoff_(options_.backoff_first_ms * kNanosPerMilli, options_.backoff_limit_ms * kNanosPerMilli, options_.seed) {
  MW_CHECK(wake_.valid(), "a client needs a descriptor to be woken by");
}

void Client::Worker::begin() {
  thread_ = std::thread([self = shared_from_this()] { self->run(); });
}

void Client::Worker::stop() {
  std::unique_lock lock(mutex_);
  stopping_ = true;
  wake();
  changed_.notify_all();
  if (!thread_.joinable()) return;
  const auto deadline = std::chrono::steady_clock::now() + kOpeningGrace;
  while (phase_ != Phase::kFinished) {
    if (phase_ == Phase::kOpening && std::chrono::steady_clock::now() >= deadline) break;
    changed_.wait_for(lock, kOpeningGrace);
  }
  abandoned_ = phase_ == Phase::kOpening;
  if (abandoned_) {
    thread_.detach();
    return;
  }
  lock.unlock();
  thread_.join();
}

bool Client::Worker::stopping() const {
  const std::lock_guard lock(mutex_);
  return stopping_;
}

// False: nobody waits for this thread any more, and nothing outside of it may be touched.
bool Client::Worker::enter(Phase phase) {
  const std::lock_guard lock(mutex_);
  if (abandoned_) return false;
  phase_ = phase;
  changed_.notify_all();
  return true;
}

// False: stop() was called.
bool Client::Worker::wait_ns(int64_t nanoseconds) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, std::chrono::nanoseconds(nanoseconds), [this] { return stopping_; });
  return !stopping_;
}

void Client::Worker::run() {
  block_signals();
  bool go_on = wait_ns(backoff_.first_delay_ns());
  while (go_on) {
    attempt();
    go_on = enter(Phase::kWaiting) && !stopping() && wait_ns(backoff_.next_delay_ns());
  }
  enter(Phase::kFinished);
}

void Client::Worker::attempt() {
  if (!enter(Phase::kServing)) return;
  counters_.attempts.fetch_add(1, std::memory_order_relaxed);
  attempt_ns_ = kept_alive_ns_ = emptied_ns_ = now_ns();
  accepted_ = worked_ = false;
  subscription_id_ = 0;
  fault_.reset();
  connection_.emplace(options_, *this);
  Status ended = connection_->prepare();
  if (ended) {
    enter(Phase::kOpening);
    ended = connection_->open();
    if (!enter(Phase::kServing)) {
      connection_.reset();
      return;
    }
  }
  attempt_ns_ = now_ns();
  if (ended) ended = serve();
  const int64_t lasted_ns = now_ns() - attempt_ns_;
  if (worked_ && lasted_ns >= kSteadyBackoffs * options_.backoff_first_ms * kNanosPerMilli) backoff_.worked();
  guess(ended, lasted_ns);
  connection_.reset();
  give_back(ended ? "stopped" : std::string_view(ended.error().message));
}

Status Client::Worker::serve() {
  while (true) {
    if (stopping()) {
      say_goodbye();
      return fail(ErrorCode::kCancelled, "stopped");
    }
    if (accepted_ && nudged_.exchange(false, std::memory_order_acq_rel)) events_->on_nudged();
    if (accepted_) send_queued();
    // At once, and not when poll() says so: a socket nearly always has room.
    if (accepted_ && connection_->wants_write()) MW_CHECK_OK(write());
    MW_CHECK_OK(wait_and_move());
    if (fault_) return std::unexpected(*fault_);
    MW_CHECK_OK(check_deadlines());
  }
}

int Client::Worker::poll_timeout_ms() const {
  const int64_t answer_due =
      in_flight_.size() == 0 ? INT64_MAX : in_flight_.oldest_ns() + options_.answer_timeout_ms * kNanosPerMilli;
  const int64_t left_ms = (answer_due - now_ns()) / kNanosPerMilli + 1;
  return static_cast<int>(std::clamp<int64_t>(left_ms, 0, options_.longest_poll_ms));
}

Status Client::Worker::wait_and_move() {
  const auto wants = static_cast<short>(POLLIN | (connection_->wants_write() ? POLLOUT : 0));
  std::array<pollfd, 2> waiting{pollfd{.fd = connection_->socket(), .events = wants},
                                pollfd{.fd = wake_.get(), .events = POLLIN}};
  const bool more = connection_->has_more();
  const int64_t before_ns = now_ns();
  const int timeout_ms = more || can_send() ? 0 : poll_timeout_ms();
  if (::poll(waiting.data(), waiting.size(), timeout_ms) < 0 && errno != EINTR) {
    return fail(ErrorCode::kIo, "broker: cannot wait for the network");
  }
  if (waiting[1].revents != 0) drain_wake();
  if (more || (waiting[0].revents & (POLLIN | POLLERR | POLLHUP)) != 0) {
    MW_CHECK_OK(read());
  } else {
    emptied_ns_ = before_ns;
  }
  if ((waiting[0].revents & POLLOUT) != 0) MW_CHECK_OK(connection_->write());
  return {};
}

// What waits in the queue and may go out. A message without an answer leaves its place in the window as soon as it is
// written, and nobody wakes us for the next one.
bool Client::Worker::can_send() const {
  if (!accepted_ || in_flight_.ids_exhausted() || in_flight_.size() >= connection_->window()) return false;
  const std::lock_guard lock(mutex_);
  return !queue_.empty();
}

// A broker that closes says why before: that is worth more than that it can be written to no more.
Status Client::Worker::write() {
  Status written = connection_->write();
  if (written) return written;
  const Status heard = connection_->read();
  return heard ? written : heard;
}

Status Client::Worker::read() {
  if (accepted_) events_->on_reading(emptied_ns_);
  const int64_t before_ns = now_ns();
  MW_CHECK_OK(connection_->read());
  if (connection_->drained()) emptied_ns_ = before_ns;
  return {};
}

Status Client::Worker::check_deadlines() {
  const int64_t now = now_ns();
  if (now - kept_alive_ns_ >= kKeepAliveNs) {
    kept_alive_ns_ = now;
    MW_CHECK_OK(connection_->keep_alive());
  }
  const int64_t answer_ns = options_.answer_timeout_ms * kNanosPerMilli;
  if (!accepted_ && now - attempt_ns_ > options_.connect_timeout_ms * kNanosPerMilli) {
    return fail(ErrorCode::kTimedOut,
                "broker {}:{} did not answer CONNECT within {} ms; is it a broker, and is TLS on "
                "on both sides?",
                options_.host, options_.port, options_.connect_timeout_ms);
  }
  if (in_flight_.size() > 0 && now - in_flight_.oldest_ns() > answer_ns) {
    return fail(ErrorCode::kTimedOut, "broker {}:{} did not acknowledge a message within {} ms", options_.host,
                options_.port, options_.answer_timeout_ms);
  }
  if (subscription_id_ != 0 && now - subscribed_ns_ > answer_ns) {
    return fail(ErrorCode::kTimedOut, "broker {}:{} did not answer a subscription within {} ms", options_.host,
                options_.port, options_.answer_timeout_ms);
  }
  return {};
}

void Client::Worker::send_queued() {
  std::array<Message, kBatch> batch;
  while (!in_flight_.ids_exhausted()) {
    const size_t window = connection_->window();
    const size_t free = window - std::min(window, in_flight_.size());
    size_t count = 0;
    {
      const std::lock_guard lock(mutex_);
      while (count < std::min(kBatch, free) && !queue_.empty()) {
        queued_bytes_ -= queue_.front().payload.size();
        batch[count++] = std::move(queue_.front());
        queue_.pop_front();
      }
      // Counted before it is known where they are, so that the sum of both never shows too few.
      counters_.in_flight.store(in_flight_.size() + count, std::memory_order_relaxed);
    }
    if (count == 0) return;
    for (size_t i = 0; i < count; ++i) send(batch[i], true);
    counters_.in_flight.store(in_flight_.size(), std::memory_order_relaxed);
  }
}

// Whatever comes of it, the message is in flight or reported afterwards.
void Client::Worker::send(const Message& message, bool wanted) {
  const Connection::Sent sent = connection_->publish(message);
  if (sent.reason != 0) {
    if (wanted) report({.token = message.token, .outcome = Outcome::kRefused, .reason = sent.reason});
    return;
  }
  counters_.sent_bytes.fetch_add(message.payload.size(), std::memory_order_relaxed);
  in_flight_.add(sent.packet_id, {.token = message.token, .report = wanted, .sent_ns = now_ns()});
}

// After the broker has accepted us: online first, then what we want to hear, then everybody else's messages.
void Client::Worker::announce() {
  if (!options_.status_topic.empty()) {
    send({.topic = options_.status_topic, .payload = options_.status(true), .qos = 1, .retain = true}, false);
  }
  if (options_.filters.empty()) return;
  subscription_id_ = connection_->subscribe(options_.filters);
  subscribed_ns_ = now_ns();
}

void Client::Worker::say_goodbye() {
  if (!accepted_) return;
  if (!options_.status_topic.empty()) {
    send({.topic = options_.status_topic, .payload = options_.status(false), .qos = 1, .retain = true}, false);
  }
  connection_->close(kGoodbyeMs);
}

bool Client::Worker::connected() const {
  const std::lock_guard lock(mutex_);
  return connected_ && !stopping_;
}

size_t Client::Worker::room() const {
  const std::lock_guard lock(mutex_);
  if (!connected_ || stopping_ || queued_bytes_ >= options_.queue_bytes) return 0;
  return options_.queue_messages - std::min(options_.queue_messages, queue_.size());
}

bool Client::Worker::publish(Message message) {
  const std::lock_guard lock(mutex_);
  if (!connected_ || stopping_ || queue_.size() >= options_.queue_messages) return false;
  if (queued_bytes_ + message.payload.size() > options_.queue_bytes) return false;
  queued_bytes_ += message.payload.size();
  const bool was_empty = queue_.empty();
  queue_.push_back(std::move(message));
  if (was_empty) wake();
  return true;
}

ClientFigures Client::Worker::figures() const {
  ClientFigures figures{.attempts = counters_.attempts,
                        .connects = counters_.connects,
                        .accepted = counters_.accepted,
                        .refused = counters_.refused,
                        .unanswered = counters_.unanswered,
                        .sent_bytes = counters_.sent_bytes,
                        .received = counters_.received,
                        .received_bytes = counters_.received_bytes,
                        .oversized = counters_.oversized,
                        .strange = counters_.strange,
                        .in_flight = counters_.in_flight};
  const std::lock_guard lock(mutex_);
  figures.queued = queue_.size();
  figures.connected = connected_;
  return figures;
}

std::string Client::Worker::last_error() const {
  const std::lock_guard lock(mutex_);
  return last_error_;
}

void Client::Worker::nudge() noexcept {
  // Whoever comes second finds the thread woken already.
  if (!nudged_.exchange(true, std::memory_order_acq_rel)) wake();
}

void Client::Worker::wake() noexcept {
  const uint64_t one = 1;
  // It can only fail where the counter is full, and then the thread is awake.
  if (::write(wake_.get(), &one, sizeof one) < 0) return;
}

void Client::Worker::drain_wake() {
  uint64_t count = 0;
  if (::read(wake_.get(), &count, sizeof count) < 0) return;
}

}  // namespace millwright::net::mqtt
