// SPDX-License-Identifier: Apache-2.0
#include "net/fetch/http_client.h"

#include <curl/curl.h>

#include <algorithm>
#include <optional>

#include "base/check.h"

namespace millwright::net::fetch {
namespace {

struct CurlUrl {
  CURLU* handle = curl_url();
  CurlUrl() = default;
  ~CurlUrl() { curl_url_cleanup(handle); }
  CurlUrl(const CurlUrl&) = delete;
  CurlUrl& operator=(const CurlUrl&) = delete;

  std::optional<std::string> part(CURLUPart which) const {
    char* text = nullptr;
    if (curl_url_get(handle, which, &text, 0) != CURLUE_OK) return std::nullopt;
    std::string copy(text);
    curl_free(text);
    return copy;
  }
};

// Scheme and host, or nothing where it is no URL. A user name in it would be sent to whoever answers.
struct Place {
  std::string scheme;
  std::string host;
};

std::optional<Place> place_of(const std::string& text) {
  const CurlUrl url;
  if (curl_url_set(url.handle, CURLUPART_URL, text.c_str(), CURLU_NON_SUPPORT_SCHEME) != CURLUE_OK) return std::nullopt;
  auto scheme = url.part(CURLUPART_SCHEME);
  auto host = url.part(CURLUPART_HOST);
  if (!scheme || !host || url.part(CURLUPART_USER)) return std::nullopt;
  return Place{*std::move(scheme), *std::move(host)};
}

// Of dotted decimal only: "127.evil.example" is a name.
bool is_loopback_host(std::string_view host) {
  if (host == "localhost" || host == "[::1]" || host == "::1") return true;
  return host.starts_with("127.") && std::ranges::count(host, '.') == 3 &&
         std::ranges::all_of(host, [](char c) { return c == '.' || (c >= '0' && c <= '9'); });
}

// One transfer, as libcurl's callback sees it.
struct Transfer {
  const HttpClient::Sink* sink;
  uint64_t limit = 0;
  uint64_t count = 0;
  CURL* handle;
  std::optional<Error> problem;
};

size_t take(char* data, size_t, size_t size, void* user) {
  auto& transfer = *static_cast<Transfer*>(user);
  long status = 0;
  curl_easy_getinfo(transfer.handle, CURLINFO_RESPONSE_CODE, &status);
  if (status != 200) return CURL_WRITEFUNC_ERROR;  // nobody reads what a refusal says
  transfer.count += size;
  if (transfer.count > transfer.limit) {
    transfer.problem = Error{ErrorCode::kTooLarge, fmt::format("more than {} bytes came", transfer.limit)};
    return CURL_WRITEFUNC_ERROR;
  }
  const Status taken = (*transfer.sink)(std::as_bytes(std::span(data, size)));
  if (taken) return size;
  transfer.problem = taken.error();
  return CURL_WRITEFUNC_ERROR;
}

ErrorCode code_of(CURLcode code) {
  switch (code) {
    case CURLE_OPERATION_TIMEDOUT: return ErrorCode::kTimedOut;
    case CURLE_FILESIZE_EXCEEDED: return ErrorCode::kTooLarge;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_PINNEDPUBKEYNOTMATCH: return ErrorCode::kRefused;
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CERTPROBLEM: return ErrorCode::kInvalidInput;
    default: return ErrorCode::kUnavailable;
  }
}

}  // namespace

struct HttpClient::State {
  HttpOptions options;
  CURL* handle = nullptr;
  char words[CURL_ERROR_SIZE] = {};

  explicit State(HttpOptions wanted) : options(std::move(wanted)) {
    static const CURLcode ready = curl_global_init(CURL_GLOBAL_DEFAULT);
    handle = curl_easy_init();
    MW_CHECK(ready == CURLE_OK && handle != nullptr, "libcurl must start");
  }
  ~State() { curl_easy_cleanup(handle); }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  template <typename T>
  void set(CURLoption option, T value) {
    MW_CHECK(curl_easy_setopt(handle, option, value) == CURLE_OK, "libcurl must know our options");
  }
  void prepare(const std::string& url, bool plain, Transfer& transfer);
  std::unexpected<Error> explain(const std::string& url, CURLcode code, const Transfer& transfer);
};

void HttpClient::State::prepare(const std::string& url, bool plain, Transfer& transfer) {
  curl_easy_reset(handle);  // connections stay
  set(CURLOPT_URL, url.c_str());
  set(CURLOPT_PROTOCOLS_STR, plain ? "http" : "https");
  set(CURLOPT_FOLLOWLOCATION, 0L);
  set(CURLOPT_NOSIGNAL, 1L);
  set(CURLOPT_PATH_AS_IS, 1L);
  if (plain) set(CURLOPT_PROXY, "");  // loopback is not asked of a proxy
  set(CURLOPT_SSL_VERIFYPEER, 1L);
  set(CURLOPT_SSL_VERIFYHOST, 2L);
  set(CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  if (!options.ca_file.empty()) set(CURLOPT_CAINFO, options.ca_file.c_str());
  if (!options.certificate_file.empty()) set(CURLOPT_SSLCERT, options.certificate_file.c_str());
  if (!options.key_file.empty()) set(CURLOPT_SSLKEY, options.key_file.c_str());
  set(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(options.connect_timeout_ms));
  set(CURLOPT_LOW_SPEED_LIMIT, static_cast<long>(options.least_bytes_per_s));
  set(CURLOPT_LOW_SPEED_TIME, static_cast<long>(options.slow_for_s));
  set(CURLOPT_USERAGENT, "millwright");
  set(CURLOPT_WRITEFUNCTION, take);
  set(CURLOPT_WRITEDATA, &transfer);
  set(CURLOPT_ERRORBUFFER, words);
  words[0] = '\0';
}

std::unexpected<Error> HttpClient::State::explain(const std::string& url, CURLcode code, const Transfer& transfer) {
  if (transfer.problem) return std::unexpected(*transfer.problem);
  long status = 0;
  curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &status);
  if (status == 403 || status == 404 || status == 410) {
    return fail(ErrorCode::kNotFound, "{}: the server does not have it ({})", url, status);
  }
  if (status >= 300 && status < 400) {
    return fail(ErrorCode::kRefused,
                "{}: the server sends us elsewhere ({}); redirects are not followed, state the right address", url,
                status);
  }
  if (status != 200 && status != 0) {
    return fail(ErrorCode::kUnavailable, "{}: the server answers {}; try again later", url, status);
  }
  const std::string_view why = words[0] != '\0' ? words : curl_easy_strerror(code);
  if (code == CURLE_OPERATION_TIMEDOUT) {
    return fail(ErrorCode::kTimedOut,
                "{}: slow retrieval or no answer: {}; less than {} bytes a second for {} s is given up", url, why,
                options.least_bytes_per_s, options.slow_for_s);
  }
  return fail(code_of(code), "{}: {}", url, why);
}

HttpClient::HttpClient(HttpOptions options) : state_(std::make_unique<State>(std::move(options))) {}
HttpClient::~HttpClient() = default;
HttpClient::HttpClient(HttpClient&&) noexcept = default;
HttpClient& HttpClient::operator=(HttpClient&&) noexcept = default;

Status HttpClient::get(const std::string& url, uint64_t limit_bytes, const Sink& sink) {
  const auto place = place_of(url);
  const bool plain = place && place->scheme == "http";
  if (!place || (!plain && place->scheme != "https")) {
    return fail(ErrorCode::kInvalidInput, "'{}' is not an address like https://host/path, without a user", url);
  }
  if (plain && !state_->options.allow_http && !is_loopback_host(place->host)) {
    return fail(ErrorCode::kRefused, "{}: HTTP without TLS goes to this machine only; use https", url);
  }
  Transfer transfer{.sink = &sink, .limit = limit_bytes, .handle = state_->handle};
  state_->prepare(url, plain, transfer);
  const CURLcode code = curl_easy_perform(state_->handle);
  long status = 0;
  curl_easy_getinfo(state_->handle, CURLINFO_RESPONSE_CODE, &status);
  if (code == CURLE_OK && status == 200) return {};
  return state_->explain(url, code, transfer);
}

bool is_loopback(std::string_view url) {
  const auto place = place_of(std::string(url));
  return place && is_loopback_host(place->host);
}

}  // namespace millwright::net::fetch
