// SPDX-License-Identifier: Apache-2.0
#include "net/tuf/names.h"

#include <fmt/format.h>

#include "base/digest.h"

namespace millwright::net::tuf {
namespace {

bool is_alphanumeric(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); }

std::string encoded(std::string_view text, std::string_view also_kept) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    if (is_alphanumeric(c) || also_kept.find(c) != std::string_view::npos) {
      out.push_back(c);
    } else {
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return out;
}

// The length in bytes of the UTF-8 character that begins here.
size_t character_bytes(std::string_view text) {
  size_t n = 1;
  while (n < text.size() && n < 4 && (static_cast<unsigned char>(text[n]) & 0xC0) == 0x80) ++n;
  return n;
}

struct Step {
  bool fits = false;
  size_t pattern_bytes = 0;
};

// A set at the beginning of the pattern against one character. Without its closing bracket '[' is a bracket. Ranges
// are of bytes: a character outside of ASCII is compared with the set's as a whole.
Step match_set(std::string_view pattern, std::string_view character) {
  size_t i = 1;
  const bool negated = i < pattern.size() && pattern[i] == '!';
  if (negated) ++i;
  const size_t first = i;
  const size_t end = pattern.find(']', first + 1);
  if (end == std::string_view::npos) return {.fits = character == "[", .pattern_bytes = 1};
  bool found = false;
  while (i < end) {
    const size_t n = character_bytes(pattern.substr(i, end - i));
    const std::string_view low = pattern.substr(i, n);
    if (i + n + 1 < end && pattern[i + n] == '-') {
      const size_t m = character_bytes(pattern.substr(i + n + 1, end - i - n - 1));
      // UTF-8 sorts as its code points do.
      found = found || (low <= character && character <= pattern.substr(i + n + 1, m));
      i += n + 1 + m;
    } else {
      found = found || low == character;
      i += n;
    }
  }
  return {.fits = found != negated, .pattern_bytes = end + 1};
}

// One component, without '/'. Only the last '*' is ever tried again, so that no pattern takes exponential time.
bool matches_component(std::string_view pattern, std::string_view text) {
  size_t p = 0;
  size_t t = 0;
  size_t star = std::string_view::npos;
  size_t star_text = 0;
  while (t < text.size()) {
    const size_t n = character_bytes(text.substr(t));
    const std::string_view character = text.substr(t, n);
    Step step;
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      star_text = t;
      continue;
    }
    if (p < pattern.size()) {
      if (pattern[p] == '?') {
        step = {.fits = true, .pattern_bytes = 1};
      } else if (pattern[p] == '[') {
        step = match_set(pattern.substr(p), character);
      } else {
        step = {.fits = pattern.substr(p, n) == character, .pattern_bytes = n};
      }
    }
    if (step.fits) {
      p += step.pattern_bytes;
      t += n;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      star_text += character_bytes(text.substr(star_text));
      t = star_text;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

}  // namespace

std::string percent_encoded(std::string_view text) { return encoded(text, "_.-~"); }

std::string url_path(std::string_view path) { return encoded(path, "_.-~!$&'()*+,;=:@/"); }

std::string file_name_for(std::string_view name, size_t limit_bytes) {
  std::string safe = percent_encoded(name);
  // "." and ".." are folders; an empty name is one as well.
  if (safe.empty() || safe == "." || safe == ".." || safe.size() > limit_bytes) return sha256(name).hex();
  return safe;
}

std::string shown(std::string_view name) {
  constexpr size_t kLimit = 80;
  std::string out;
  for (const char c : name) {
    if (out.size() >= kLimit) return out + "...";
    if (c >= ' ' && c <= '~') {
      out.push_back(c);
    } else {
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return out;
}

bool matches_pattern(std::string_view pattern, std::string_view path) {
  while (true) {
    const size_t p = pattern.find('/');
    const size_t t = path.find('/');
    if ((p == std::string_view::npos) != (t == std::string_view::npos)) return false;
    if (!matches_component(pattern.substr(0, p), path.substr(0, t))) return false;
    if (p == std::string_view::npos) return true;
    pattern.remove_prefix(p + 1);
    path.remove_prefix(t + 1);
  }
}

std::string bin_name(std::string_view prefix, int bit_length, std::string_view path) {
  const Digest digest = sha256(path);
  uint32_t head = 0;
  for (int i = 0; i < 4; ++i) head = head << 8 | digest.bytes[static_cast<size_t>(i)];
  const uint32_t bin = bit_length >= 32 ? head : head >> (32 - bit_length);
  return fmt::format("{}-{:0{}x}", prefix, bin, (bit_length + 3) / 4);
}

}  // namespace millwright::net::tuf
