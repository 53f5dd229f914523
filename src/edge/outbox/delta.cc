// SPDX-License-Identifier: Apache-2.0
#include "edge/outbox/delta.h"

#include <array>
#include <bit>
#include <cstdint>
#include <cstring>

namespace millwright::edge::outbox {
namespace {

// What stands between two runs of common bytes. Numbers have two characters in a byte.
enum class Kind : uint8_t { kText, kNumber, kNumberOfSameLength };
constexpr unsigned kKindBits = 2;
constexpr std::string_view kNumberCharacters = "0123456789.-";
constexpr uint8_t kNotOfANumber = 0xFF;

constexpr std::array<uint8_t, 256> make_nibbles() {
  std::array<uint8_t, 256> nibbles{};
  nibbles.fill(kNotOfANumber);
  for (size_t i = 0; i < kNumberCharacters.size(); ++i) {
    nibbles[static_cast<unsigned char>(kNumberCharacters[i])] = static_cast<uint8_t>(i);
  }
  return nibbles;
}
constexpr auto kNibbles = make_nibbles();

uint8_t nibble(char c) { return kNibbles[static_cast<unsigned char>(c)]; }
bool ends_text(char c) { return c == '"' || c == ',' || c == '}' || c == ']'; }

// Seven bits a byte, the lowest first; the highest bit says that more follow.
void put(std::string& out, size_t value) {
  while (value >= 0x80) {
    out += static_cast<char>(0x80U | (value & 0x7FU));
    value >>= 7;
  }
  out += static_cast<char>(value);
}

size_t common(std::string_view a, std::string_view b) {
  const size_t most = std::min(a.size(), b.size());
  size_t n = 0;
  for (; n + 8 <= most; n += 8) {
    uint64_t x = 0;
    uint64_t y = 0;
    std::memcpy(&x, a.data() + n, 8);
    std::memcpy(&y, b.data() + n, 8);
    if (x != y) return n + static_cast<size_t>(std::countr_zero(x ^ y)) / 8;
  }
  while (n < most && a[n] == b[n]) ++n;
  return n;
}

size_t number_length(std::string_view text) {
  size_t n = 0;
  while (n < text.size() && nibble(text[n]) != kNotOfANumber) ++n;
  return n;
}

size_t text_length(std::string_view text) {
  size_t n = 0;
  while (n < text.size() && !ends_text(text[n])) ++n;
  return n;
}

void put_number(std::string_view digits, std::string& out) {
  for (size_t i = 0; i < digits.size(); i += 2) {
    const unsigned low = nibble(digits[i]);
    const unsigned high = i + 1 < digits.size() ? nibble(digits[i + 1]) : 0U;
    out += static_cast<char>(low | (high << 4));
  }
}

// Reads a delta from its front; every read says whether there was something.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes) {}
  [[nodiscard]] bool empty() const { return rest_.empty(); }
  bool number(size_t& value) {
    constexpr unsigned kMostBits = 28;
    value = 0;
    for (unsigned shift = 0; shift <= kMostBits; shift += 7) {
      if (rest_.empty()) return false;
      const auto byte = static_cast<unsigned char>(rest_.front());
      rest_.remove_prefix(1);
      value |= static_cast<size_t>(byte & 0x7FU) << shift;
      if (byte < 0x80) return true;
    }
    return false;
  }
  bool bytes(size_t count, std::string_view& taken) {
    if (count > rest_.size()) return false;
    taken = rest_.substr(0, count);
    rest_.remove_prefix(count);
    return true;
  }

 private:
  std::string_view rest_;
};

bool take_number(Reader& reader, size_t length, std::string& text) {
  std::string_view packed;
  if (!reader.bytes((length + 1) / 2, packed)) return false;
  for (size_t i = 0; i < length; ++i) {
    const unsigned value = (static_cast<unsigned char>(packed[i / 2]) >> (i % 2 == 0 ? 0U : 4U)) & 0xFU;
    if (value >= kNumberCharacters.size()) return false;
    text += kNumberCharacters[value];
  }
  return true;
}

}  // namespace

void encode_delta(std::string_view model, std::string_view text, std::string& out) {
  put(out, text.size());
  while (true) {
    const size_t same = common(model, text);
    put(out, same);
    model.remove_prefix(same);
    text.remove_prefix(same);
    if (text.empty()) return;
    const size_t digits = number_length(text);
    const size_t model_digits = number_length(model);
    if (digits > 0 || model_digits > 0) {
      const bool same_length = digits == model_digits;
      const Kind kind = same_length ? Kind::kNumberOfSameLength : Kind::kNumber;
      put(out, (digits << kKindBits) | static_cast<size_t>(kind));
      if (!same_length) put(out, model_digits);
      put_number(text.substr(0, digits), out);
      text.remove_prefix(digits);
      model.remove_prefix(model_digits);
      continue;
    }
    // A mark that only one of them has, such as a list that ends earlier, is text too: something must be taken.
    const size_t letters = std::max<size_t>(text_length(text), 1);
    const size_t model_letters = text_length(model);
    put(out, (letters << kKindBits) | static_cast<size_t>(Kind::kText));
    put(out, model_letters);
    out += text.substr(0, letters);
    text.remove_prefix(letters);
    model.remove_prefix(model_letters);
  }
}

Result<std::string> decode_delta(std::string_view model, std::string_view delta, size_t limit) {
  const auto broken = [] { return fail(ErrorCode::kCorrupt, "a message does not fit its template"); };
  Reader reader(delta);
  size_t size = 0;
  if (!reader.number(size) || size > limit) return broken();
  std::string text;
  text.reserve(size);
  while (true) {
    size_t same = 0;
    if (!reader.number(same) || same > model.size() || text.size() + same > size) return broken();
    text += model.substr(0, same);
    model.remove_prefix(same);
    if (text.size() == size) break;
    size_t token = 0;
    if (!reader.number(token)) return broken();
    const size_t length = token >> kKindBits;
    const auto kind = static_cast<Kind>(token & ((1U << kKindBits) - 1));
    size_t skip = length;
    if (kind != Kind::kNumberOfSameLength && !reader.number(skip)) return broken();
    if (length + skip == 0 || skip > model.size() || text.size() + length > size) return broken();
    model.remove_prefix(skip);
    std::string_view letters;
    if (kind == Kind::kText) {
      if (!reader.bytes(length, letters)) return broken();
      text += letters;
    } else if (!take_number(reader, length, text)) {
      return broken();
    }
  }
  if (!reader.empty()) return broken();
  return text;
}

}  // namespace millwright::edge::outbox
