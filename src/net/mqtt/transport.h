// SPDX-License-Identifier: Apache-2.0
// A stream of bytes to a broker: TCP, with TLS around it where it is wanted. Never blocks, except to resolve a name.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/descriptor.h"
#include "base/error.h"
#include "net/mqtt/client_options.h"
#include "net/mqtt/tls_context.h"

struct addrinfo;
struct ssl_st;

namespace millwright::net::mqtt {

// One thread. Every error is the end of it, and says why.
class Transport {
 public:
  explicit Transport(const ClientOptions& options);
  ~Transport();
  Transport(const Transport&) = delete;
  Transport& operator=(const Transport&) = delete;

  Status prepare();  // reads the files of TLS
  Status open();     // resolves, and begins to connect

  // For poll().
  [[nodiscard]] int socket() const { return socket_.get(); }
  [[nodiscard]] bool wants_write(bool have_bytes) const;
  // Bytes are decrypted already, and poll() knows nothing of them.
  [[nodiscard]] bool has_more() const;

  // Connected, and the handshake is done. Moves it on where it is not.
  Result<bool> established();
  // Appends what is there, at most `limit` bytes; 0: nothing now.
  Result<size_t> read(std::string& out, size_t limit);
  // The last read() left nothing behind.
  [[nodiscard]] bool drained() const { return drained_; }
  // How many bytes were taken; 0: none now.
  Result<size_t> write(std::string_view bytes);

 private:
  Status connect_next(int last_error);
  Result<bool> tcp_established();
  Result<bool> tls_established();
  Result<size_t> tls_outcome(int result, const char* doing);
  void hear_last_word();
  std::unexpected<Error> lost(int system_error) const;
  [[nodiscard]] std::string where() const { return fmt::format("broker {}:{}", options_.host, options_.port); }

  const ClientOptions& options_;
  std::unique_ptr<TlsContext> tls_;
  std::unique_ptr<ssl_st, void (*)(ssl_st*)> ssl_;
  std::unique_ptr<addrinfo, void (*)(addrinfo*)> addresses_;
  addrinfo* next_address_ = nullptr;
  Descriptor socket_;
  bool connected_ = false;
  bool shaken_hands_ = false;
  bool tls_wants_write_ = false;
  bool drained_ = false;
};

}  // namespace millwright::net::mqtt
