// SPDX-License-Identifier: Apache-2.0
// Who may call a server that has no log-in: rules on text, apart from any socket.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace millwright::net::http {

// `host` is a Host header, with or without a port. IP addresses and localhost always may; a page of another site cannot
// have them as its own name, which is what DNS rebinding needs.
bool host_allowed(std::string_view host, std::span<const std::string> allowed);

// `origin` is an Origin header, or empty where the caller is no browser.
bool same_origin(std::string_view origin, std::string_view host);

}  // namespace millwright::net::http
