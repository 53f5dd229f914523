// SPDX-License-Identifier: Apache-2.0
// Makes a payload small by what it has in common with another one, its template: lines of records differ in a few
// numbers only. Walks both texts side by side, at memory speed; FORMAT.md has the encoding.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/error.h"

namespace millwright::edge::outbox {

// Appends `text` as a difference from `model` to `out`. Never fails; the result may be longer than the text.
void encode_delta(std::string_view model, std::string_view text, std::string& out);

// kCorrupt where `delta` is not one from this template, or says more than `limit` bytes.
Result<std::string> decode_delta(std::string_view model, std::string_view delta, size_t limit);

}  // namespace millwright::edge::outbox
