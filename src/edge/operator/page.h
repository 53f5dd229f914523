// SPDX-License-Identifier: Apache-2.0
// The files of the operator's page, put into the program at build time.
#pragma once

#include <string_view>

namespace millwright::edge {

extern const std::string_view kPageHtml;
extern const std::string_view kPageCss;
extern const std::string_view kPageJs;

}  // namespace millwright::edge
