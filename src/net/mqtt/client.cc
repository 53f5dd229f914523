// SPDX-License-Identifier: Apache-2.0
#include "net/mqtt/client.h"

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>

#include "net/mqtt/worker.h"

namespace millwright::net::mqtt {

Client::Client(std::shared_ptr<Worker> worker) : worker_(std::move(worker)) { worker_->begin(); }

Client::~Client() { stop(); }

Result<std::unique_ptr<Client>> Client::start(ClientOptions options, ClientEvents& events) {
  MW_CHECK_OK(check_shape(options));
  return std::unique_ptr<Client>(new Client(std::make_shared<Worker>(std::move(options), events)));
}

bool Client::connected() const { return worker_->connected(); }
size_t Client::room() const { return worker_->room(); }
bool Client::publish(Message message) { return worker_->publish(std::move(message)); }
void Client::nudge() noexcept { worker_->nudge(); }
void Client::stop() { worker_->stop(); }
ClientFigures Client::figures() const { return worker_->figures(); }
std::string Client::last_error() const { return worker_->last_error(); }

namespace {

// Waits for the first thing that a connection attempt comes to.
class FirstAnswer final : public ClientEvents {
 public:
  explicit FirstAnswer(size_t filters) : filters_(filters) {}
  void on_connected() override {
    if (filters_ == 0) set({});
  }
  void on_subscribed(std::string_view, const Status& result) override {
    if (!result || --filters_ == 0) set(result);
  }
  void on_disconnected(std::string_view why) override { set(fail(ErrorCode::kUnavailable, "{}", why)); }

  std::optional<Status> wait(int64_t timeout_ms) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, std::chrono::milliseconds(timeout_ms), [this] { return answer_.has_value(); });
    return answer_;
  }

 private:
  void set(const Status& answer) {
    const std::lock_guard lock(mutex_);
    if (!answer_) answer_ = answer;
    changed_.notify_all();
  }

  size_t filters_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<Status> answer_;
};

}  // namespace

Status probe(ClientOptions options, int64_t timeout_ms) {
  MW_CHECK_OK(check(options));
  const std::string where = fmt::format("{}:{}", options.host, options.port);
  // A look must not change what the fleet sees of this device. (Where the broker takes the client id from the
  // certificate, an agent that runs meanwhile loses its connection to this one, and comes back.)
  options.client_id += "-check";
  options.status_topic.clear();
  options.session_expiry_s = 0;
  options.backoff_first_ms = 1;
  FirstAnswer answer(options.filters.size());
  const std::unique_ptr<Client> client = MW_TRY(Client::start(std::move(options), answer));
  const std::optional<Status> first = answer.wait(timeout_ms);
  client->stop();
  if (!first) return fail(ErrorCode::kTimedOut, "broker {} did not answer within {} ms", where, timeout_ms);
  return *first;
}

}  // namespace millwright::net::mqtt
