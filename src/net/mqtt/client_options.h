// SPDX-License-Identifier: Apache-2.0
// What an MQTT client needs to know. Secrets are in files, never in here, so that options can be logged.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"

namespace millwright::net::mqtt {

struct TlsOptions {
  std::filesystem::path ca_file;           // PEM; who may vouch for the broker
  std::filesystem::path certificate_file;  // PEM, with its chain; empty: this box shows none
  std::filesystem::path key_file;          // PEM; readable by its owner and group only
  bool allow_tls12 = false;                // TLS 1.3 otherwise
};

struct ClientOptions {
  std::string host;
  uint16_t port = 8883;
  std::string client_id;  // stable for the device: a new one at each start would leave sessions behind
  uint16_t keepalive_s = 30;
  std::optional<TlsOptions> tls;           // host name or address are always checked
  std::filesystem::path credentials_file;  // two lines, user and password; empty: none
  uint32_t session_expiry_s = 0;     // how long the broker keeps subscriptions and queue after a loss; 0: not at all
  std::vector<std::string> filters;  // subscribed at QoS 1 after each connect
  std::string status_topic;          // where `status` goes, retained, QoS 1; empty: nowhere
  std::function<std::string(bool online)> status;  // online after each connect, offline as Last Will and at stop()

  size_t queue_messages = 512;  // taken by publish() and not yet sent
  size_t queue_bytes = size_t{4} << 20;
  uint16_t in_flight = 64;              // sent and not yet answered
  size_t inbound_limit = 64 * 1024;     // a larger payload is counted and not handed on
  int64_t connect_timeout_ms = 15'000;  // from the open socket to the broker's CONNACK, the TLS handshake included
  int64_t answer_timeout_ms = 20'000;   // PUBACK, SUBACK; then the connection is given up
  int64_t longest_poll_ms = 1'000;      // so old at most is what ClientEvents::on_reading says of a quiet socket
  int64_t backoff_first_ms = 1'000;
  int64_t backoff_limit_ms = 60'000;
  uint64_t seed = 1;  // of the jitter; different for each box
};

// What can be said without looking at anything: ids and limits. kInvalidInput.
Status check_shape(const ClientOptions& options);

// What can be said without a network: ids, limits, and that the named files can be read and belong together.
// kInvalidInput, kNotFound or kRefused (a secret that strangers can read).
Status check(const ClientOptions& options);

// What to look for where a broker throws this client out again and again; begins with "; ".
std::string who_else(const ClientOptions& options);

struct Credentials {
  std::string user;
  std::string password;
};
// Reads two lines; kRefused where others than owner and group may read the file.
Result<Credentials> read_credentials(const std::filesystem::path& path);

// Refuses a file with a secret that everybody on the machine can read.
Status check_private(const std::filesystem::path& path);

}  // namespace millwright::net::mqtt
