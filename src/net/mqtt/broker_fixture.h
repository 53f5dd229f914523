// SPDX-License-Identifier: Apache-2.0
// A real mosquitto on a free port of the loopback, with its own configuration and folder, and somebody who listens to a
// client. For tests.
#pragma once

#include <arpa/inet.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>

#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/check.h"
#include "base/child_process.h"
#include "base/descriptor.h"
#include "base/files.h"
#include "base/free_port.h"
#include "base/temporary_folder.h"
#include "net/mqtt/client.h"

namespace millwright::net::mqtt {

inline constexpr auto kPatience = std::chrono::seconds(20);

class TemporaryFolder : public millwright::TemporaryFolder {
 public:
  std::filesystem::path write(const std::string& name, std::string_view text) const {
    MW_CHECK(write_file_atomic(path() / name, text), "a test needs a file");
    return path() / name;
  }
};

inline sockaddr_in loopback(uint16_t port) {
  return {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}, .sin_zero = {}};
}

inline uint16_t free_port() {
  const auto port = millwright::free_port();
  MW_CHECK(port.has_value(), "a test needs a port");
  return *port;
}

inline bool listens(uint16_t port) {
  const Descriptor socket(::socket(AF_INET, SOCK_STREAM, 0));
  const sockaddr_in address = loopback(port);
  return ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
}

// Looks every few milliseconds until `done`, at most kPatience.
inline bool eventually(const std::function<bool()>& done) {
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (!done()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    ::poll(nullptr, 0, 5);
  }
  return true;
}

class RealBroker {
 public:
  // `settings` are lines of mosquitto.conf; "{folder}" in them becomes this broker's folder.
  explicit RealBroker(std::string settings = "allow_anonymous true\n") : settings_(std::move(settings)) {}

  [[nodiscard]] uint16_t port() const { return port_; }
  [[nodiscard]] const TemporaryFolder& folder() const { return folder_; }

  // Starts, or starts again on the same port.
  void start() {
    for (int attempt = 0; attempt < 10; ++attempt) {
      if (port_ == 0 || attempt > 0) port_ = free_port();
      folder_.write("mosquitto.conf", configuration());
      auto child =
          ChildProcess::start({.argv = {"/usr/sbin/mosquitto", "-c", (folder_.path() / "mosquitto.conf").string()},
                               .out_file = folder_.path() / "log"});
      MW_CHECK(child.has_value(), "mosquitto is not installed");
      process_.emplace(std::move(*child));
      if (eventually([this] { return listens(port_) || process_->poll().has_value(); }) && !process_->poll()) return;
      process_.reset();
    }
    MW_CHECK(false, "mosquitto does not start; see its log");
  }
  void kill() {
    process_->signal(SIGKILL);
    process_->wait();
    process_.reset();
  }
  void freeze() { process_->signal(SIGSTOP); }
  void thaw() { process_->signal(SIGCONT); }
  [[nodiscard]] std::string log() const { return read_text_file(folder_.path() / "log", 1 << 24).value_or(""); }

 private:
  [[nodiscard]] std::string configuration() const {
    std::string text = settings_;
    for (size_t at = text.find("{folder}"); at != std::string::npos; at = text.find("{folder}")) {
      text.replace(at, 8, folder_.path().string());
    }
    return fmt::format("user root\npersistence_location {}/\nlog_type all\nlistener {} 127.0.0.1\n{}",
                       folder_.path().string(), port_, text);
  }

  TemporaryFolder folder_;
  std::string settings_;
  uint16_t port_ = 0;
  std::optional<ChildProcess> process_;
};

// Writes down what a client tells, and waits for it.
class Notes : public ClientEvents {
 public:
  struct Inbound {
    std::string topic;
    std::string payload;
    bool retained;
  };

  void on_connected() override {
    note([this] { ++connected; });
  }
  void on_disconnected(std::string_view why) override {
    note([this, why] { losses.emplace_back(why); });
  }
  void on_delivery(const Delivery& delivery) override {
    note([this, &delivery] { deliveries[delivery.token].push_back(delivery); });
  }
  void on_subscribed(std::string_view filter, const Status& result) override {
    note([this, filter, &result] { subscriptions[std::string(filter)] = result; });
  }
  void on_message(std::string_view topic, std::string_view payload, bool retained) override {
    note([&] { inbound.push_back({std::string(topic), std::string(payload), retained}); });
  }

  // True as soon as `done`, called under the lock, says so; false after kPatience.
  bool wait(const std::function<bool()>& done) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, kPatience, done);
  }
  // A look under the lock.
  template <typename Function>
  auto look(Function&& function) {
    const std::lock_guard lock(mutex_);
    return function();
  }

  int connected = 0;
  std::vector<std::string> losses;
  std::map<uint64_t, std::vector<Delivery>> deliveries;
  std::map<std::string, Status> subscriptions;
  std::vector<Inbound> inbound;

 private:
  template <typename Function>
  void note(Function&& function) {
    const std::lock_guard lock(mutex_);
    function();
    changed_.notify_all();
  }
  std::mutex mutex_;
  std::condition_variable changed_;
};

// Options with short times, for a broker on the loopback.
inline ClientOptions options_for(uint16_t port, std::string client_id) {
  ClientOptions options;
  options.host = "127.0.0.1";
  options.port = port;
  options.client_id = std::move(client_id);
  options.backoff_first_ms = 10;
  options.backoff_limit_ms = 200;
  options.seed = 7;
  return options;
}

}  // namespace millwright::net::mqtt
