// SPDX-License-Identifier: Apache-2.0
#include "edge/outbox/delta.h"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>

namespace millwright::edge::outbox {
namespace {

// What stands between two runs of common bytes. Numbers have two characters in a byte.
enum class Kind : uint8_t { kText, kNumber, kNumberOfSameLength };
constexpr unsigned kKindBits = 2;
constexpr size_t kMostOfANumber = 5;  // bytes that put() writes at most

// Texts are read eight bytes at a time, the first in the lowest byte.
static_assert(std::endian::native == std::endian::little);
constexpr size_t kWord = 8;
constexpr uint64_t each(uint8_t byte) { return 0x0101010101010101U * byte; }

// What a processor adds at once.
constexpr size_t kVector = 16;
using Bytes [[gnu::vector_size(kVector)]] = uint8_t;
using Words [[gnu::vector_size(kVector)]] = uint64_t;

uint64_t load(const char* from) {
  uint64_t word = 0;
  std::memcpy(&word, from, kWord);
  return word;
}

size_t bytes_before(uint64_t marks) { return static_cast<size_t>(std::countr_zero(marks)) / kWord; }

// The characters of a number are "0123456789.-"; their lowest four bits tell them apart.
constexpr unsigned kMinus = '-' & 0xF;
constexpr unsigned kPoint = '.' & 0xF;
constexpr bool is_of_a_number(char c) { return (c >= '0' && c <= '9') || c == '.' || c == '-'; }

// The highest bit of each byte that is of no number; of the rest nothing.
uint64_t not_of_a_number(uint64_t word) {
  const uint64_t low = word & each(0x7F);
  const uint64_t from_minus = low + each(0x80 - '-');
  const uint64_t behind_nine = low + each(0x80 - ('9' + 1));
  const uint64_t not_slash = (low ^ each('/')) + each(0x7F);
  return ~(from_minus & ~behind_nine & not_slash & ~word) & each(0x80);
}

bool ends_text(char c) { return c == '"' || c == ',' || c == '}' || c == ']'; }

// Seven bits a byte, the lowest first; the highest bit says that more follow. Returns where the next byte goes.
inline char* put(char* out, size_t value) {
  while (value >= 0x80) [[unlikely]] {
    *out++ = static_cast<char>(0x80U | (value & 0x7FU));
    value >>= 7;
  }
  *out++ = static_cast<char>(value);
  return out;
}

// The three walk padded texts: what they read behind the end is zeros, and of no number.
inline size_t common(std::string_view a, std::string_view b) {
  const size_t most = std::min(a.size(), b.size());
  for (size_t n = 0; n < most; n += 2 * kWord) {
    const uint64_t first = load(a.data() + n) ^ load(b.data() + n);
    const uint64_t second = load(a.data() + n + kWord) ^ load(b.data() + n + kWord);
    if ((first | second) == 0) continue;
    return std::min(n + (first != 0 ? bytes_before(first) : kWord + bytes_before(second)), most);
  }
  return most;
}

inline size_t number_length(std::string_view text) {
  for (size_t n = 0;; n += kWord) {
    const uint64_t others = not_of_a_number(load(text.data() + n));
    if (others != 0) return n + bytes_before(others);
  }
}

// The first `digits` of a text, two characters in a byte, the first one low. Writes up to three bytes more than it
// says.
inline char* put_number(std::string_view text, size_t digits, char* out) {
  for (size_t i = 0; i < digits; i += kWord) {
    uint64_t word = load(text.data() + i) & each(0xF);
    if (digits - i < kWord) word &= (1ULL << (digits - i) * kWord) - 1;
    word = (word | word >> 4) & 0x00FF00FF00FF00FFU;
    word = (word | word >> 8) & 0x0000FFFF0000FFFFU;
    const auto packed = static_cast<uint32_t>(word | word >> 16);
    std::memcpy(out + i / 2, &packed, sizeof(packed));
  }
  return out + (digits + 1) / 2;
}

size_t text_length(std::string_view text) {
  size_t n = 0;
  while (n < text.size() && !ends_text(text[n])) ++n;
  return n;
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
    if (value > 9 && value != kPoint && value != kMinus) return false;
    text += static_cast<char>((value > 9 ? 0x20U : 0x30U) | value);
  }
  return true;
}

}  // namespace

void PaddedText::assign(std::string_view text) {
  size_ = text.size();
  bytes_.assign(text);
  bytes_.append(kVector, '\0');
}

// A letter has this bit, what numbers and punctuation are made of has not. 2^8 is 1 modulo 255, so that the remainder
// of a sum of words is that of their bytes, wherever in a word they stood.
uint32_t PaddedText::letters() const {
  constexpr uint8_t kLetterBit = 0x40;
  constexpr unsigned kHalf = 32;
  Words sum{};
  for (size_t n = 0; n < size_; n += kVector) {
    Bytes bytes;
    std::memcpy(&bytes, bytes_.data() + n, kVector);
    const auto letters = std::bit_cast<Words>(bytes & std::bit_cast<Bytes>((bytes & kLetterBit) != 0));
    sum += (letters >> kHalf) + (letters & UINT32_MAX);
  }
  return static_cast<uint32_t>((sum[0] + sum[1]) % 0xFF);
}

DeltaModel::DeltaModel(std::string_view text) : text_(text), letters_(text_.letters()), digits_(text.size()) {
  constexpr uint8_t kMost = 255;  // a longer one is told in parts
  for (size_t i = text.size(); i-- > 0;) {
    if (!is_of_a_number(text[i])) continue;
    const uint8_t behind = i + 1 < digits_.size() ? digits_[i + 1] : uint8_t{0};
    digits_[i] = behind == kMost ? kMost : static_cast<uint8_t>(behind + 1);
  }
}

std::optional<size_t> encode_delta(const DeltaModel& from, const PaddedText& whole, std::span<char> room) {
  std::string_view model = from.text();
  std::string_view text = whole.text();
  char* out = room.data();
  char* const end = out + room.size();
  const auto fits = [&](size_t bytes) { return static_cast<size_t>(end - out) >= bytes; };
  if (!fits(2 * kMostOfANumber)) return std::nullopt;
  out = put(out, text.size());
  while (true) {
    const size_t same = common(model, text);
    out = put(out, same);
    model.remove_prefix(same);
    text.remove_prefix(same);
    if (text.empty()) return out - room.data();
    const size_t digits = number_length(text);
    const size_t model_digits = from.digits_at(from.text().size() - model.size());
    if (digits > 0 || model_digits > 0) {
      if (!fits(3 * kMostOfANumber + digits + kWord)) return std::nullopt;
      const bool same_length = digits == model_digits;
      const Kind kind = same_length ? Kind::kNumberOfSameLength : Kind::kNumber;
      out = put(out, (digits << kKindBits) | static_cast<size_t>(kind));
      if (!same_length) out = put(out, model_digits);
      out = put_number(text, digits, out);
      text.remove_prefix(digits);
      model.remove_prefix(model_digits);
      continue;
    }
    // A mark that only one of them has, such as a list that ends earlier, is text too: something must be taken.
    const size_t letters = std::max<size_t>(text_length(text), 1);
    const size_t model_letters = text_length(model);
    if (!fits(3 * kMostOfANumber + letters)) return std::nullopt;
    out = put(out, (letters << kKindBits) | static_cast<size_t>(Kind::kText));
    out = put(out, model_letters);
    for (size_t i = 0; i < letters; ++i) *out++ = text[i];
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
