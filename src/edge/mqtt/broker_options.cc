// SPDX-License-Identifier: Apache-2.0
#include "edge/mqtt/broker_options.h"

#include <functional>

namespace millwright::edge {

net::mqtt::ClientOptions broker_options(const BrokerConfig& broker) {
  net::mqtt::ClientOptions options;
  options.host = broker.host;
  options.port = broker.port;
  options.client_id = broker.client_id;
  options.keepalive_s = broker.keepalive_s;
  options.backoff_limit_ms = static_cast<int64_t>(broker.longest_wait_s * 1e3);
  if (broker.tls) {
    options.tls = net::mqtt::TlsOptions{.ca_file = broker.ca_file,
                                        .certificate_file = broker.certificate_file,
                                        .key_file = broker.key_file,
                                        .allow_tls12 = broker.allow_tls12};
  }
  options.credentials_file = broker.credentials_file;
  options.seed = std::hash<std::string>()(broker.client_id);
  return options;
}

}  // namespace millwright::edge
