// SPDX-License-Identifier: Apache-2.0
// The TLS side of a connection to the broker, and why a handshake failed, in words. OpenSSL knows the cause at the
// moment it happens and forgets it; this remembers.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/error.h"
#include "net/mqtt/client_options.h"

struct ssl_ctx_st;

namespace millwright::net::mqtt {

class TlsContext {
 public:
  // Reads and checks the files. The message names the file and what is wrong with it.
  static Result<std::unique_ptr<TlsContext>> create(const TlsOptions& options, const std::string& host);
  ~TlsContext();
  TlsContext(const TlsContext&) = delete;
  TlsContext& operator=(const TlsContext&) = delete;

  // For one thread; stays valid while this lives.
  [[nodiscard]] ssl_ctx_st* context() const { return context_; }

  // Why the handshake failed, or empty where TLS was not the cause. `closed`: the peer ended the connection without a
  // word, so that what we said about it is no cause.
  [[nodiscard]] std::string failure(bool closed) const;

 private:
  friend struct TlsCallbacks;
  TlsContext(const TlsOptions& options, std::string host) : options_(options), host_(std::move(host)) {}
  Status load();
  Status load_own();
  Status check_peer_name();

  TlsOptions options_;
  std::string host_;
  ssl_ctx_st* context_ = nullptr;
  int64_t own_not_after_s_ = 0;  // 1970-01-01 UTC; 0: no certificate of our own
  int verify_error_ = 0;         // X509_V_ERR_*
  std::string peer_facts_;       // whom the refused certificate names, until when
  int alert_received_ = 0;       // TLS alert; 0: none
  int alert_sent_ = 0;
};

// When the first certificate of a PEM file ends, in seconds since 1970-01-01 UTC.
Result<int64_t> certificate_not_after(const std::filesystem::path& path);
// The common name (CN) of its subject, the last one where there are several: whom a broker takes it for. kInvalidInput
// where there is none.
Result<std::string> certificate_common_name(const std::filesystem::path& path);

}  // namespace millwright::net::mqtt
