// SPDX-License-Identifier: Apache-2.0
// Names of strangers in places where they could do harm: files, URLs, messages. And which names a delegation covers.
#pragma once

#include <string>
#include <string_view>

namespace millwright::net::tuf {

// Everything but letters, digits, '_', '.', '-' and '~' as %XX of its UTF-8 bytes (RFC 3986, section 2.3).
std::string percent_encoded(std::string_view text);

// A target's path in a URL: what may stand in a path (RFC 3986, pchar) stays, '/' too.
std::string url_path(std::string_view path);

// The name under which a role or a target is kept in a folder: percent-encoded, so that it holds no '/'; where that is
// longer than `limit_bytes`, the SHA-256 of the name.
std::string file_name_for(std::string_view name, size_t limit_bytes = 200);

// A name for a message: printable ASCII as it is, all else as in percent_encoded(), cut after 80 bytes.
std::string shown(std::string_view name);

// Whether a path fits a pattern of the specification (section 4.5, PATHPATTERN): '*' any characters, '?' one character,
// '[abc]',
// '[a-c]', '[!a]' one of a set; none of them stands for "/". No pattern takes
// more than quadratic time.
bool matches_pattern(std::string_view pattern, std::string_view path);

// The bin of hashed bins (TAP 15) that a path falls into: the first `bit_length` (1 to 32) bits of its SHA-256, as
// PREFIX-HEX with leading zeros.
std::string bin_name(std::string_view prefix, int bit_length, std::string_view path);

}  // namespace millwright::net::tuf
