// SPDX-License-Identifier: Apache-2.0
#include "net/mqtt/transport.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

namespace millwright::net::mqtt {
namespace {

constexpr size_t kChunk = 64 * 1024;

void free_addresses(addrinfo* list) {
  if (list != nullptr) ::freeaddrinfo(list);
}

bool is_address(const std::string& host) {
  std::array<unsigned char, 16> bytes{};
  return ::inet_pton(AF_INET, host.c_str(), bytes.data()) == 1 ||
         ::inet_pton(AF_INET6, host.c_str(), bytes.data()) == 1;
}

}  // namespace

Transport::Transport(const ClientOptions& options)
    : options_(options), ssl_(nullptr, &SSL_free), addresses_(nullptr, &free_addresses) {}

Transport::~Transport() = default;

Status Transport::prepare() {
  if (options_.tls) tls_ = MW_TRY(TlsContext::create(*options_.tls, options_.host));
  return {};
}

Status Transport::open() {
  const addrinfo hints{.ai_flags = AI_ADDRCONFIG | AI_NUMERICSERV, .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
  addrinfo* list = nullptr;
  if (::getaddrinfo(options_.host.c_str(), std::to_string(options_.port).c_str(), &hints, &list) != 0) {
    return fail(ErrorCode::kUnavailable, "broker host {} is not known; check the name and this box's DNS",
                options_.host);
  }
  addresses_.reset(list);
  next_address_ = list;
  return connect_next(0);
}

Status Transport::connect_next(int last_error) {
  for (; next_address_ != nullptr; next_address_ = next_address_->ai_next) {
    const addrinfo& address = *next_address_;
    socket_ = Descriptor(::socket(address.ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    const int one = 1;
    if (socket_.valid()) ::setsockopt(socket_.get(), IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (socket_.valid() &&
        (::connect(socket_.get(), address.ai_addr, address.ai_addrlen) == 0 || errno == EINPROGRESS)) {
      next_address_ = address.ai_next;
      return {};
    }
    last_error = errno;
  }
  return fail(ErrorCode::kUnavailable, "cannot reach {}: {}; check address, port, firewall, and that the broker runs",
              where(), std::strerror(last_error));
}

bool Transport::wants_write(bool have_bytes) const {
  if (!connected_) return true;
  return tls_wants_write_ || (have_bytes && (tls_ == nullptr || shaken_hands_));
}

bool Transport::has_more() const { return ssl_ && SSL_pending(ssl_.get()) > 0; }

Result<bool> Transport::established() {
  if (!connected_ && !MW_TRY(tcp_established())) return false;
  if (tls_ != nullptr && !shaken_hands_) return tls_established();
  return true;
}

Result<bool> Transport::tcp_established() {
  int system_error = 0;
  socklen_t size = sizeof system_error;
  ::getsockopt(socket_.get(), SOL_SOCKET, SO_ERROR, &system_error, &size);
  if (system_error != 0) {
    MW_CHECK_OK(connect_next(system_error));
    return false;
  }
  sockaddr_storage peer{};
  size = sizeof peer;
  if (::getpeername(socket_.get(), reinterpret_cast<sockaddr*>(&peer), &size) != 0) return false;
  connected_ = true;
  if (tls_ == nullptr) return true;
  ssl_.reset(SSL_new(tls_->context()));
  if (!ssl_ || SSL_set_fd(ssl_.get(), socket_.get()) != 1) {
    return fail(ErrorCode::kUnavailable, "TLS: cannot be set up for a connection");
  }
  SSL_set_mode(ssl_.get(), SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  // A name is sent, so that a host with several certificates shows the right one; an address must not be.
  if (!is_address(options_.host)) SSL_set_tlsext_host_name(ssl_.get(), options_.host.c_str());
  SSL_set_connect_state(ssl_.get());
  return true;
}

Result<bool> Transport::tls_established() {
  ERR_clear_error();
  const int result = SSL_do_handshake(ssl_.get());
  if (result == 1) {
    shaken_hands_ = true;
    tls_wants_write_ = false;
    return true;
  }
  (void)MW_TRY(tls_outcome(result, "handshake"));
  return false;
}

// 0 where TLS waits for the socket; an error where it is over.
Result<size_t> Transport::tls_outcome(int result, const char* doing) {
  const int system_error = errno;
  const int why = SSL_get_error(ssl_.get(), result);
  tls_wants_write_ = why == SSL_ERROR_WANT_WRITE;
  if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE) return 0;
  const unsigned long error = why == SSL_ERROR_SSL ? ERR_peek_last_error() : 0;
  const bool closed = why == SSL_ERROR_SYSCALL || why == SSL_ERROR_ZERO_RETURN ||
                      (error != 0 && ERR_GET_REASON(error) == SSL_R_UNEXPECTED_EOF_WHILE_READING);
  if (const std::string words = tls_->failure(closed); !words.empty()) {
    return fail(ErrorCode::kRefused, "{}: {}", where(), words);
  }
  if (!closed && error != 0) {
    const char* reason = ERR_reason_error_string(error);
    return fail(ErrorCode::kCorrupt, "{}: TLS {}: {}; is TLS on at that port?", where(), doing,
                reason == nullptr ? "unknown" : reason);
  }
  if (!shaken_hands_) {
    return fail(ErrorCode::kUnavailable,
                "{} closed the connection during the TLS handshake; is it starting or stopping?", where());
  }
  return lost(why == SSL_ERROR_SYSCALL ? system_error : 0);
}

std::unexpected<Error> Transport::lost(int system_error) const {
  if (system_error == 0) return fail(ErrorCode::kUnavailable, "{} closed the connection", where());
  return fail(ErrorCode::kUnavailable, "{} is lost: {}", where(), std::strerror(system_error));
}

Result<size_t> Transport::read(std::string& out, size_t limit) {
  const size_t before = out.size();
  const size_t wanted = std::min(limit, kChunk);
  ssize_t count = 0;
  int system_error = 0;
  out.resize_and_overwrite(before + wanted, [&](char* bytes, size_t) {
    ERR_clear_error();
    errno = 0;
    count = ssl_ ? SSL_read(ssl_.get(), bytes + before, static_cast<int>(wanted))
                 : ::recv(socket_.get(), bytes + before, wanted, 0);
    system_error = errno;
    return before + static_cast<size_t>(std::max<ssize_t>(count, 0));
  });
  // A TLS record says nothing of what lies behind it.
  drained_ = count < 0 || (!ssl_ && static_cast<size_t>(count) < wanted);
  if (count > 0) return static_cast<size_t>(count);
  errno = system_error;
  if (ssl_) return tls_outcome(static_cast<int>(count), "read");
  if (count < 0 && (system_error == EAGAIN || system_error == EINTR)) return 0;
  return lost(count == 0 ? 0 : system_error);
}

// In TLS 1.3 a broker looks at our certificate after we began to talk: its refusal may lie in the socket, unread, when
// a write already finds the connection reset.
void Transport::hear_last_word() {
  std::array<char, 64> ignored{};
  (void)SSL_read(ssl_.get(), ignored.data(), ignored.size());
  ERR_clear_error();
}

Result<size_t> Transport::write(std::string_view bytes) {
  ERR_clear_error();
  errno = 0;
  const ssize_t count = ssl_ ? SSL_write(ssl_.get(), bytes.data(), static_cast<int>(std::min(bytes.size(), kChunk)))
                             : ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
  const int system_error = errno;
  if (count > 0) {
    tls_wants_write_ = false;
    return static_cast<size_t>(count);
  }
  if (ssl_ && (system_error == ECONNRESET || system_error == EPIPE)) hear_last_word();
  errno = system_error;
  if (ssl_) return tls_outcome(static_cast<int>(count), "write");
  if (system_error == EAGAIN || system_error == EINTR) return 0;
  return lost(system_error);
}

}  // namespace millwright::net::mqtt
