// SPDX-License-Identifier: Apache-2.0
#include "net/mqtt/client_options.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string_view>

#include "base/files.h"
#include "base/numbers.h"
#include "net/mqtt/tls_context.h"

namespace millwright::net::mqtt {
namespace {

constexpr size_t kMaxClientId = 128;
constexpr size_t kMaxCredentials = 4096;

bool printable(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) > 0x20 && c != 0x7F; });
}

}  // namespace

Status check_shape(const ClientOptions& options) {
  if (options.host.empty() || !printable(options.host)) {
    return fail(ErrorCode::kInvalidInput, "broker: host must be a name or an address, not '{}'", options.host);
  }
  if (options.port == 0) return fail(ErrorCode::kInvalidInput, "broker: port must be 1 to 65535");
  if (options.client_id.empty() || options.client_id.size() > kMaxClientId || !printable(options.client_id)) {
    return fail(ErrorCode::kInvalidInput, "broker: client id must have 1 to {} printable characters", kMaxClientId);
  }
  if (options.keepalive_s < 5) return fail(ErrorCode::kInvalidInput, "broker: keepalive must be 5 s or more");
  if (options.queue_messages == 0 || options.in_flight == 0) {
    return fail(ErrorCode::kInvalidInput, "broker: queue and in-flight window must hold one message at least");
  }
  if (options.longest_poll_ms <= 0) return fail(ErrorCode::kInvalidInput, "broker: longest_poll_ms must be above 0");
  if (options.backoff_first_ms <= 0 || options.backoff_limit_ms < options.backoff_first_ms) {
    return fail(ErrorCode::kInvalidInput, "broker: backoff must begin above 0 and not above its limit");
  }
  if (!options.status_topic.empty() && !options.status) {
    return fail(ErrorCode::kInvalidInput, "broker: a status topic needs somebody who makes the status");
  }
  return {};
}

Status check_private(const std::filesystem::path& path) {
  struct stat facts{};
  if (::stat(path.c_str(), &facts) != 0) {
    return fail(ErrorCode::kNotFound, "{}: cannot be read: {}", path.string(),
                errno == ENOENT ? "no such file" : std::strerror(errno));
  }
  if ((facts.st_mode & (S_IROTH | S_IWOTH)) != 0) {
    return fail(ErrorCode::kRefused, "{}: holds a secret that everybody on this machine can read; chmod o= {}",
                path.string(), path.string());
  }
  return {};
}

Result<Credentials> read_credentials(const std::filesystem::path& path) {
  MW_CHECK_OK(check_private(path));
  const std::string text = MW_TRY(read_text_file(path, kMaxCredentials));
  const size_t line_end = text.find('\n');
  Credentials credentials{.user = std::string(trim(std::string_view(text).substr(0, line_end)))};
  if (line_end != std::string::npos) {
    std::string_view rest = std::string_view(text).substr(line_end + 1);
    credentials.password = std::string(trim(rest.substr(0, rest.find('\n'))));
  }
  if (credentials.user.empty() || credentials.password.empty()) {
    return fail(ErrorCode::kInvalidInput, "{}: must hold two lines, the user and the password", path.string());
  }
  return credentials;
}

std::string who_else(const ClientOptions& options) {
  if (options.tls && !options.tls->certificate_file.empty()) {
    return fmt::format("; does another program use the certificate {} or the client id '{}'?",
                       options.tls->certificate_file.string(), options.client_id);
  }
  return fmt::format("; does another program use the client id '{}'?", options.client_id);
}

Status check(const ClientOptions& options) {
  MW_CHECK_OK(check_shape(options));
  if (!options.credentials_file.empty()) (void)MW_TRY(read_credentials(options.credentials_file));
  if (options.tls) (void)MW_TRY(TlsContext::create(*options.tls, options.host));
  return {};
}

}  // namespace millwright::net::mqtt
