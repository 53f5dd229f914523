// SPDX-License-Identifier: Apache-2.0
#include "campaign/power_cut.h"

#include <sstream>

#include <fmt/format.h>

#include "edge/outbox/crc32c.h"

namespace millwright::campaign {
namespace {

std::string sum_of(std::string_view text) {
  return fmt::format("{:08x}", edge::outbox::crc32c(std::as_bytes(std::span(text))));
}

}  // namespace

std::string to_line(const CutNote& note) {
  const std::string text = fmt::format("@{} {} {} {} {} {} ", static_cast<char>(note.kind), note.stream, note.stroke,
                                       note.sequence, note.right ? 1 : 0, note.boot.empty() ? "-" : note.boot);
  return text + sum_of(text) + "\n";
}

std::optional<CutNote> parse_cut_note(std::string_view line) {
  const size_t begin = line.find('@');
  if (begin == std::string_view::npos) return std::nullopt;
  line.remove_prefix(begin);
  while (!line.empty() && (line.back() == '\r' || line.back() == '\n')) line.remove_suffix(1);
  const size_t last = line.rfind(' ');
  if (last == std::string_view::npos || sum_of(line.substr(0, last + 1)) != line.substr(last + 1)) return std::nullopt;
  std::istringstream in{std::string(line.substr(1))};
  char kind = 0;
  CutNote note;
  in >> kind >> note.stream >> note.stroke >> note.sequence >> note.right >> note.boot;
  if (!in) return std::nullopt;
  note.kind = static_cast<CutNote::Kind>(kind);
  return note;
}

}  // namespace millwright::campaign
