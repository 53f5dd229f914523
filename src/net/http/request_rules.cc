// SPDX-License-Identifier: Apache-2.0
#include "net/http/request_rules.h"

#include <algorithm>
#include <boost/asio/ip/address.hpp>

namespace millwright::net::http {
namespace {

// Without the port: "[::1]:8000" is "::1", "press7:8000" is "press7".
std::string_view name_of(std::string_view host) {
  if (host.starts_with('[')) {
    const size_t end = host.find(']');
    return end == std::string_view::npos ? std::string_view() : host.substr(1, end - 1);
  }
  return host.substr(0, host.find(':'));
}

}  // namespace

bool host_allowed(std::string_view host, std::span<const std::string> allowed) {
  if (host.empty()) return false;
  const std::string name(name_of(host));
  boost::system::error_code error;
  boost::asio::ip::make_address(name, error);
  return !error || name == "localhost" || std::ranges::find(allowed, name) != allowed.end();
}

bool same_origin(std::string_view origin, std::string_view host) {
  if (origin.empty()) return true;
  const size_t scheme = origin.find("://");
  return scheme != std::string_view::npos && origin.substr(scheme + 3) == host;
}

}  // namespace millwright::net::http
