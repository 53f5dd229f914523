// SPDX-License-Identifier: Apache-2.0
#include "net/tuf/canonical_json.h"

#include <nlohmann/json.hpp>

namespace millwright::net::tuf {
namespace {

using nlohmann::json;

void write_text(const std::string& text, std::string& out) {
  out.push_back('"');
  for (const char c : text) {
    if (c == '"' || c == '\\') out.push_back('\\');
    out.push_back(c);
  }
  out.push_back('"');
}

// Recursion is bounded by the reader's depth.
Status write(const json& value, std::string& out) {
  bool first = true;
  const auto separate = [&] {
    if (!first) out.push_back(',');
    first = false;
  };
  switch (value.type()) {
    case json::value_t::object:
      out.push_back('{');
      // The library sorts members by bytes, which for UTF-8 is the order of code points.
      for (const auto& [key, member] : value.items()) {
        separate();
        write_text(key, out);
        out.push_back(':');
        MW_CHECK_OK(write(member, out));
      }
      out.push_back('}');
      return {};
    case json::value_t::array:
      out.push_back('[');
      for (const json& element : value) {
        separate();
        MW_CHECK_OK(write(element, out));
      }
      out.push_back(']');
      return {};
    case json::value_t::string: write_text(value.get_ref<const std::string&>(), out); return {};
    case json::value_t::boolean: out += value.get<bool>() ? "true" : "false"; return {};
    case json::value_t::null: out += "null"; return {};
    case json::value_t::number_unsigned: out += std::to_string(value.get<uint64_t>()); return {};
    case json::value_t::number_integer: out += std::to_string(value.get<int64_t>()); return {};
    default:
      return fail(ErrorCode::kInvalidInput, "a number with a fraction, or beyond 64 bits, has no canonical form");
  }
}

}  // namespace

Result<std::string> canonical_json(const json& value) {
  std::string out;
  MW_CHECK_OK(write(value, out));
  return out;
}

std::string as_json(std::string_view canonical) {
  std::string out;
  out.reserve(canonical.size());
  for (const char c : canonical) {
    if (c >= 0 && c < ' ') {
      out += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
    } else {
      out.push_back(c);
    }
  }
  return out;
}

}  // namespace millwright::net::tuf
