// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace millwright {

// The known word nearest to `word` by edits, if it is near enough to be meant. Any thread.
std::optional<std::string> nearest_word(std::string_view word, std::span<const std::string> known);

}  // namespace millwright
