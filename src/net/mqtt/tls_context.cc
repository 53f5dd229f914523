// SPDX-License-Identifier: Apache-2.0
#include "net/mqtt/tls_context.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <ctime>

#include "base/clock.h"

namespace millwright::net::mqtt {
namespace {

constexpr int64_t kNanosPerSecond = 1'000'000'000;

std::string date_of(int64_t seconds) { return format_utc(seconds * kNanosPerSecond).substr(0, 10); }

int64_t seconds_of(const ASN1_TIME* time) {
  std::tm parts{};
  return ASN1_TIME_to_tm(time, &parts) == 1 ? static_cast<int64_t>(::timegm(&parts)) : 0;
}

// OpenSSL's own word for the last error, and a clean queue.
std::string openssl_words() {
  std::array<char, 160> text{};
  const unsigned long error = ERR_peek_last_error();
  ERR_clear_error();
  if (error == 0) return "unknown";
  const char* reason = ERR_reason_error_string(error);
  if (reason != nullptr) return reason;
  ERR_error_string_n(error, text.data(), text.size());
  return text.data();
}

// OpenSSL calls a file that is not there "system lib".
Status check_readable(std::string_view what, const std::filesystem::path& path) {
  if (::access(path.c_str(), R_OK) == 0) return {};
  const int error = errno;
  if (error == ENOENT) return fail(ErrorCode::kNotFound, "{} {}: no such file", what, path.string());
  return fail(ErrorCode::kIo, "{} {}: cannot be read: {}", what, path.string(), std::strerror(error));
}

using Certificate = std::unique_ptr<X509, decltype(&X509_free)>;

Result<Certificate> read_certificate(const std::filesystem::path& path) {
  MW_CHECK_OK(check_readable("certificate", path));
  const std::unique_ptr<BIO, decltype(&BIO_free)> file(BIO_new_file(path.c_str(), "r"), &BIO_free);
  Certificate certificate(file ? PEM_read_bio_X509(file.get(), nullptr, nullptr, nullptr) : nullptr, &X509_free);
  if (!certificate) {
    return fail(ErrorCode::kInvalidInput, "certificate {}: cannot be read as PEM: {}", path.string(), openssl_words());
  }
  return certificate;
}

std::string names_of(X509* certificate) {
  std::string names;
  auto* entries = static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr));
  for (int i = 0; entries != nullptr && i < sk_GENERAL_NAME_num(entries) && names.size() < 200; ++i) {
    const GENERAL_NAME* entry = sk_GENERAL_NAME_value(entries, i);
    if (entry->type != GEN_DNS) continue;
    const ASN1_IA5STRING* text = entry->d.dNSName;
    names += names.empty() ? "" : ", ";
    for (int k = 0; k < ASN1_STRING_length(text) && k < 100; ++k) {
      const auto c = static_cast<char>(ASN1_STRING_get0_data(text)[k]);
      names += c > 0x20 && c < 0x7F ? c : '?';  // a stranger's bytes go into a log
    }
  }
  GENERAL_NAMES_free(entries);
  return names.empty() ? "no host name" : names;
}

std::string from_alert(int alert, bool have_certificate, int64_t own_not_after_s) {
  switch (alert) {
    case TLS13_AD_CERTIFICATE_REQUIRED:
      return "the broker demands a client certificate and this box shows none; set certificate and key";
    case SSL3_AD_HANDSHAKE_FAILURE:
      return have_certificate ? "the broker found no common cipher or refuses this box's certificate"
                              : "the broker refuses the handshake; it may demand a client certificate, and none is set";
    case SSL3_AD_CERTIFICATE_EXPIRED:
      return fmt::format("the broker says that this box's certificate has expired (it ends {}); renew it",
                         date_of(own_not_after_s));
    case SSL3_AD_CERTIFICATE_REVOKED: return "the broker says that this box's certificate is revoked";
    case TLS1_AD_UNKNOWN_CA:
      return "the broker does not know the CA that issued this box's certificate; is it from another plant?";
    case SSL3_AD_BAD_CERTIFICATE:
    case SSL3_AD_UNSUPPORTED_CERTIFICATE:
    case SSL3_AD_CERTIFICATE_UNKNOWN: return "the broker refuses this box's certificate";
    default: return fmt::format("the broker ended the TLS handshake: {}", SSL_alert_desc_string_long(alert));
  }
}

}  // namespace

// OpenSSL calls these on the thread of the connection.
struct TlsCallbacks {
  static TlsContext* owner(const SSL* ssl) {
    return static_cast<TlsContext*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)));
  }

  static int verify(int ok, X509_STORE_CTX* store) {
    if (ok == 1) return 1;
    const auto* ssl = static_cast<const SSL*>(X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()));
    TlsContext* self = owner(ssl);
    X509* certificate = X509_STORE_CTX_get_current_cert(store);
    if (self->verify_error_ == 0) self->verify_error_ = X509_STORE_CTX_get_error(store);
    if (certificate != nullptr) {
      self->peer_facts_ = fmt::format("for {}, valid from {} to {}", names_of(certificate),
                                      date_of(seconds_of(X509_get0_notBefore(certificate))),
                                      date_of(seconds_of(X509_get0_notAfter(certificate))));
    }
    return 0;
  }

  static void info(const SSL* ssl, int where, int value) {
    if ((where & SSL_CB_ALERT) == 0) return;
    const int alert = value & 0xFF;
    if (alert == SSL3_AD_CLOSE_NOTIFY) return;
    ((where & SSL_CB_READ) != 0 ? owner(ssl)->alert_received_ : owner(ssl)->alert_sent_) = alert;
  }
};

Result<std::unique_ptr<TlsContext>> TlsContext::create(const TlsOptions& options, const std::string& host) {
  std::unique_ptr<TlsContext> made(new TlsContext(options, host));
  MW_CHECK_OK(made->load());
  return made;
}

TlsContext::~TlsContext() { SSL_CTX_free(context_); }

Status TlsContext::load() {
  context_ = SSL_CTX_new(TLS_client_method());
  if (context_ == nullptr) return fail(ErrorCode::kUnavailable, "TLS: cannot be set up: {}", openssl_words());
  SSL_CTX_set_app_data(context_, this);
  SSL_CTX_set_min_proto_version(context_, options_.allow_tls12 ? TLS1_2_VERSION : TLS1_3_VERSION);
  SSL_CTX_set_options(context_, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
  SSL_CTX_set_mode(context_, SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_verify(context_, SSL_VERIFY_PEER, &TlsCallbacks::verify);
  SSL_CTX_set_info_callback(context_, &TlsCallbacks::info);
  MW_CHECK_OK(check_readable("CA file", options_.ca_file));
  if (SSL_CTX_load_verify_locations(context_, options_.ca_file.c_str(), nullptr) != 1) {
    return fail(ErrorCode::kInvalidInput, "CA file {}: cannot be read as PEM certificates: {}",
                options_.ca_file.string(), openssl_words());
  }
  MW_CHECK_OK(check_peer_name());
  return load_own();
}

Status TlsContext::check_peer_name() {
  X509_VERIFY_PARAM* rules = SSL_CTX_get0_param(context_);
  X509_VERIFY_PARAM_set_hostflags(rules, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  const bool is_address = X509_VERIFY_PARAM_set1_ip_asc(rules, host_.c_str()) == 1;
  ERR_clear_error();
  if (!is_address && X509_VERIFY_PARAM_set1_host(rules, host_.c_str(), host_.size()) != 1) {
    return fail(ErrorCode::kInvalidInput, "broker: '{}' is neither a host name nor an address", host_);
  }
  return {};
}

Status TlsContext::load_own() {
  if (options_.certificate_file.empty() != options_.key_file.empty()) {
    return fail(ErrorCode::kInvalidInput, "TLS: a client certificate needs its key, and a key its certificate");
  }
  if (options_.certificate_file.empty()) return {};
  MW_CHECK_OK(check_private(options_.key_file));
  own_not_after_s_ = MW_TRY(certificate_not_after(options_.certificate_file));
  if (SSL_CTX_use_certificate_chain_file(context_, options_.certificate_file.c_str()) != 1) {
    return fail(ErrorCode::kInvalidInput, "certificate {}: cannot be used: {}", options_.certificate_file.string(),
                openssl_words());
  }
  // A wrong passphrase must be an error, not a question on a terminal that nobody sees.
  SSL_CTX_set_default_passwd_cb(context_, [](char*, int, int, void*) { return -1; });
  if (SSL_CTX_use_PrivateKey_file(context_, options_.key_file.c_str(), SSL_FILETYPE_PEM) != 1) {
    return fail(ErrorCode::kInvalidInput, "key {}: cannot be used with certificate {}: {}", options_.key_file.string(),
                options_.certificate_file.string(), openssl_words());
  }
  return {};
}

std::string TlsContext::failure(bool closed) const {
  switch (verify_error_) {
    case X509_V_OK: break;
    case X509_V_ERR_CERT_HAS_EXPIRED:
      return fmt::format("the broker's certificate has expired ({}); renew it, or set this box's clock", peer_facts_);
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return fmt::format("the broker's certificate is not valid yet ({}); set this box's clock", peer_facts_);
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
      return fmt::format("the broker's certificate ({}) does not name {}; wrong address or wrong broker", peer_facts_,
                         host_);
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_CERT_SIGNATURE_FAILURE:
      return fmt::format("the broker's certificate ({}) was not issued by the CA in {}; wrong CA file or wrong broker",
                         peer_facts_, options_.ca_file.string());
    default:
      return fmt::format("the broker's certificate ({}) is refused: {}", peer_facts_,
                         X509_verify_cert_error_string(verify_error_));
  }
  // Which side says it depends on the versions.
  if (alert_received_ == TLS1_AD_PROTOCOL_VERSION || alert_sent_ == TLS1_AD_PROTOCOL_VERSION) {
    return options_.allow_tls12 ? "the broker offers only TLS versions older than 1.2; update it"
                                : "the broker offers only TLS versions older than 1.3; update it, or allow TLS 1.2";
  }
  if (alert_received_ != 0) return from_alert(alert_received_, own_not_after_s_ != 0, own_not_after_s_);
  if (alert_sent_ != 0 && !closed)
    return fmt::format("TLS handshake failed: {}", SSL_alert_desc_string_long(alert_sent_));
  return {};
}

Result<int64_t> certificate_not_after(const std::filesystem::path& path) {
  const Certificate certificate = MW_TRY(read_certificate(path));
  return seconds_of(X509_get0_notAfter(certificate.get()));
}

Result<std::string> certificate_common_name(const std::filesystem::path& path) {
  const Certificate certificate = MW_TRY(read_certificate(path));
  X509_NAME* subject = X509_get_subject_name(certificate.get());
  int last = -1;
  for (int at = -1; (at = X509_NAME_get_index_by_NID(subject, NID_commonName, at)) >= 0;) last = at;
  unsigned char* text = nullptr;
  const int size =
      last < 0 ? -1 : ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, last)));
  if (size < 0) {
    ERR_clear_error();
    return fail(ErrorCode::kInvalidInput, "certificate {}: its subject has no common name", path.string());
  }
  std::string name(reinterpret_cast<const char*>(text), static_cast<size_t>(size));
  OPENSSL_free(text);
  return name;
}

}  // namespace millwright::net::mqtt
