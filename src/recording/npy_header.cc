// SPDX-License-Identifier: Apache-2.0
#include "recording/npy_header.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <optional>

#include "base/numbers.h"

namespace millwright::recording {
namespace {

static_assert(std::endian::native == std::endian::little, "samples are read as they lie in a little-endian file");

constexpr size_t kMaxHeaderBytes = 1 << 16;

// Reads the dictionary literal that NumPy writes, and only that: no nesting, no escapes, no other types.
class HeaderParser {
 public:
  HeaderParser(std::string_view text, size_t max_dimensions) : rest_(text), max_dimensions_(max_dimensions) {}

  Result<NpyHeader> parse() {
    NpyHeader header;
    MW_CHECK_OK(expect('{'));
    while (!accept('}')) {
      const std::string key = MW_TRY(string());
      MW_CHECK_OK(expect(':'));
      MW_CHECK_OK(value(key, header));
      if (accept(',')) continue;
      MW_CHECK_OK(expect('}'));
      break;
    }
    if (!trim(rest_).empty()) return broken("something follows its closing brace");
    if (!has_descr_ || !has_order_ || !has_shape_) return broken("descr, fortran_order or shape is missing");
    return header;
  }

 private:
  static std::unexpected<Error> broken(std::string_view why) {
    return fail(ErrorCode::kCorrupt, "broken .npy header: {}", why);
  }

  void skip_space() { rest_.remove_prefix(std::min(rest_.find_first_not_of(" \t\r\n"), rest_.size())); }

  bool accept(char c) {
    skip_space();
    if (!rest_.starts_with(c)) return false;
    rest_.remove_prefix(1);
    return true;
  }

  Status expect(char c) {
    if (!accept(c)) return broken(fmt::format("'{}' expected before {}", c, in_quotes(rest_)));
    return {};
  }

  bool accept_word(std::string_view word) {
    skip_space();
    if (!rest_.starts_with(word)) return false;
    rest_.remove_prefix(word.size());
    return true;
  }

  Result<std::string> string() {
    skip_space();
    if (rest_.empty() || (rest_[0] != '\'' && rest_[0] != '"')) {
      return broken(fmt::format("a text expected before {}", in_quotes(rest_)));
    }
    const size_t end = rest_.find(rest_[0], 1);
    if (end == std::string_view::npos) return broken("a text does not end");
    std::string text(rest_.substr(1, end - 1));
    rest_.remove_prefix(end + 1);
    return text;
  }

  Status once(bool& seen, std::string_view key) {
    if (seen) return broken(fmt::format("{} stands twice", key));
    seen = true;
    return {};
  }

  Status value(std::string_view key, NpyHeader& header) {
    if (key == "descr") {
      MW_CHECK_OK(once(has_descr_, key));
      skip_space();
      if (rest_.starts_with('[')) {
        return fail(ErrorCode::kUnsupported, "a structured array; save one plain array of numbers");
      }
      header.descr = MW_TRY(string());
      return {};
    }
    if (key == "fortran_order") {
      MW_CHECK_OK(once(has_order_, key));
      header.fortran_order = accept_word("True");
      if (!header.fortran_order && !accept_word("False")) return broken("fortran_order is neither True nor False");
      return {};
    }
    if (key == "shape") {
      MW_CHECK_OK(once(has_shape_, key));
      header.shape = MW_TRY(shape());
      return {};
    }
    return broken(fmt::format("unknown key {}", in_quotes(key)));
  }

  Result<std::vector<uint64_t>> shape() {
    std::vector<uint64_t> shape;
    MW_CHECK_OK(expect('('));
    while (!accept(')')) {
      if (shape.size() == max_dimensions_) {
        return fail(ErrorCode::kUnsupported, "an array of more than {} dimensions", max_dimensions_);
      }
      skip_space();
      const size_t digits = std::min(rest_.find_first_not_of("0123456789"), rest_.size());
      const std::optional<int64_t> extent = parse_int(rest_.substr(0, digits));
      if (!extent) return broken("an extent of the shape is not a number");
      rest_.remove_prefix(digits);
      shape.push_back(static_cast<uint64_t>(*extent));
      if (accept(',')) continue;
      MW_CHECK_OK(expect(')'));
      break;
    }
    return shape;
  }

  std::string_view rest_;
  size_t max_dimensions_;
  bool has_descr_ = false;
  bool has_order_ = false;
  bool has_shape_ = false;
};

}  // namespace

Result<NpyHeader> read_npy_header(ByteSource& source, size_t max_dimensions) {
  std::array<std::byte, 12> start{};
  MW_CHECK_OK(source.read_at(0, std::span(start).first(10)));
  if (std::memcmp(start.data(), kNpyMagic.data(), kNpyMagic.size()) != 0) {
    return fail(ErrorCode::kInvalidInput, "not a .npy file: it does not begin with NumPy's magic");
  }
  const auto version = std::to_integer<unsigned>(start[6]);
  if (version < 1 || version > 3 || start[7] != std::byte{0}) {
    return fail(ErrorCode::kUnsupported, ".npy format {}.{}; 1.0 to 3.0 can be read", version,
                std::to_integer<unsigned>(start[7]));
  }
  uint64_t offset = 10;
  uint64_t length = std::to_integer<uint64_t>(start[8]) | std::to_integer<uint64_t>(start[9]) << 8;
  if (version >= 2) {
    MW_CHECK_OK(source.read_at(0, start));
    offset = 12;
    length |= std::to_integer<uint64_t>(start[10]) << 16 | std::to_integer<uint64_t>(start[11]) << 24;
  }
  if (length > kMaxHeaderBytes) {
    return fail(ErrorCode::kTooLarge, "a .npy header of {} bytes, the limit is {}", length, kMaxHeaderBytes);
  }
  std::string text(length, '\0');
  MW_CHECK_OK(source.read_at(offset, std::as_writable_bytes(std::span(text))));
  NpyHeader header = MW_TRY(HeaderParser(text, max_dimensions).parse());
  header.data_offset = offset + length;
  return header;
}

namespace {

template <typename T>
void convert(const std::byte* from, std::span<float> to, double scale) {
  for (float& out : to) {
    T value;
    std::memcpy(&value, from, sizeof value);
    from += sizeof value;
    out = static_cast<float>(static_cast<double>(value) * scale);
  }
}

template <typename T>
constexpr NpyElement element() {
  return {sizeof(T), convert<T>};
}

}  // namespace

Result<NpyElement> npy_element(std::string_view descr) {
  if (descr == "<f4") return element<float>();
  if (descr == "<f8") return element<double>();
  if (descr == "<i2") return element<int16_t>();
  if (descr == "<u2") return element<uint16_t>();
  if (descr == "<i4") return element<int32_t>();
  if (descr == "<u4") return element<uint32_t>();
  if (descr == "<i8") return element<int64_t>();
  if (descr == "<u8") return element<uint64_t>();
  if (descr == "|i1") return element<int8_t>();
  if (descr == "|u1") return element<uint8_t>();
  if (descr.starts_with('>')) {
    return fail(ErrorCode::kUnsupported, "big-endian samples ({}); save array.astype('<f4')", in_quotes(descr));
  }
  return fail(ErrorCode::kUnsupported, "samples of type {}; save float32, float64 or integers of 8 to 64 bits",
              in_quotes(descr));
}

}  // namespace millwright::recording
