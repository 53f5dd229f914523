// SPDX-License-Identifier: Apache-2.0
// The format: a magic, two version bytes, the length of a header, the header (a Python dictionary literal with the keys
// descr, fortran_order and shape), then the array's bytes and nothing else.
#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <optional>

#include "base/files.h"
#include "base/numbers.h"
#include "recording/decoders.h"

namespace millwright::recording {
namespace {

static_assert(std::endian::native == std::endian::little, "samples are read as they lie in a little-endian file");

constexpr std::string_view kMagic = "\x93NUMPY";
constexpr size_t kMaxHeaderBytes = 1 << 16;
constexpr size_t kMaxDimensions = 3;
constexpr size_t kChunkBytes = 1 << 20;

struct Header {
  std::string descr;
  bool fortran_order = false;
  std::vector<uint64_t> shape;
  uint64_t data_offset = 0;
};

// Reads the dictionary literal that NumPy writes, and only that: no nesting, no escapes, no other types.
class HeaderParser {
 public:
  explicit HeaderParser(std::string_view text) : rest_(text) {}

  Result<Header> parse() {
    Header header;
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

  Status value(std::string_view key, Header& header) {
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
      if (shape.size() == kMaxDimensions) {
        return fail(ErrorCode::kUnsupported,
                    "an array of more than 3 dimensions; it must be (samples), (n, samples) or (n, channels, samples)");
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
  bool has_descr_ = false;
  bool has_order_ = false;
  bool has_shape_ = false;
};

Result<Header> read_header(ByteSource& source) {
  std::array<std::byte, 12> start{};
  MW_CHECK_OK(source.read_at(0, std::span(start).first(10)));
  if (std::memcmp(start.data(), kMagic.data(), kMagic.size()) != 0) {
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
  Header header = MW_TRY(HeaderParser(text).parse());
  header.data_offset = offset + length;
  return header;
}

struct Element {
  size_t bytes;
  void (*convert)(const std::byte* from, std::span<float> to, double scale);
};

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
constexpr Element element() {
  return {sizeof(T), convert<T>};
}

Result<Element> element_of(std::string_view descr) {
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

// Walks an array of Fortran order (first index fastest) and says where each element stands in C order.
class FortranWalk {
 public:
  explicit FortranWalk(const std::array<uint64_t, 3>& shape) : shape_(shape) {}

  size_t next() {
    const size_t place = (index_[0] * shape_[1] + index_[1]) * shape_[2] + index_[2];
    for (size_t d = 0; d < 3; ++d) {
      if (++index_[d] < shape_[d]) break;
      index_[d] = 0;
    }
    return place;
  }

 private:
  std::array<uint64_t, 3> shape_;
  std::array<uint64_t, 3> index_{};
};

Status read_samples(ByteSource& source, const Header& header, const Element& element, double scale,
                    const std::array<uint64_t, 3>& shape, std::vector<float>& samples) {
  const bool transpose = header.fortran_order && header.shape.size() > 1;
  FortranWalk walk(shape);
  const size_t chunk = kChunkBytes / element.bytes;
  std::vector<std::byte> bytes(std::min(chunk, samples.size()) * element.bytes);
  std::vector<float> converted(transpose ? std::min(chunk, samples.size()) : 0);
  for (size_t done = 0; done < samples.size();) {
    const size_t count = std::min(chunk, samples.size() - done);
    MW_CHECK_OK(
        source.read_at(header.data_offset + done * element.bytes, std::span(bytes).first(count * element.bytes)));
    if (transpose) {
      element.convert(bytes.data(), std::span(converted).first(count), scale);
      for (size_t i = 0; i < count; ++i) samples[walk.next()] = converted[i];
    } else {
      element.convert(bytes.data(), std::span(samples).subspan(done, count), scale);
    }
    done += count;
  }
  return {};
}

}  // namespace

Result<Recording> decode_npy(ByteSource& source, const ReadOptions& options) {
  const Header header = MW_TRY(read_header(source));
  const Element element = MW_TRY(element_of(header.descr));
  if (header.shape.empty()) {
    return fail(ErrorCode::kUnsupported,
                "a single number; it must be (samples), (n, samples) or (n, channels, samples)");
  }
  const bool windowed = header.shape.size() > 1;
  const uint64_t length = header.shape.back();
  const uint64_t channels = header.shape.size() == 3 ? header.shape[1] : 1;
  const uint64_t windows = windowed ? header.shape[0] : 1;
  MW_CHECK_OK(check_extent(windows, channels, length));

  const uint64_t count = windows * channels * length;
  const uint64_t have = source.size() - header.data_offset;
  if (have != count * element.bytes) {
    return fail(ErrorCode::kCorrupt,
                "{} bytes of samples, its shape needs {}: the file is cut short or holds more arrays", have,
                count * element.bytes);
  }
  Recording recording;
  recording.rate_hz = MW_TRY(agree_on_rate(0.0, options, 0.0));
  recording.channels = channels;
  recording.length = length;
  recording.windows = windowed ? windows : 0;
  recording.samples.resize(count);
  MW_CHECK_OK(read_samples(source, header, element, options.scale, {windows, channels, length}, recording.samples));
  return recording;
}

Status write_npy(const std::filesystem::path& path, std::span<const float> samples, std::vector<size_t> shape) {
  if (shape.empty() || shape.size() > kMaxDimensions) {
    return fail(ErrorCode::kInvalidInput, "{}: a shape of {} dimensions; 1 to 3 can be written", path.string(),
                shape.size());
  }
  uint64_t count = 1;
  for (const size_t extent : shape) {
    if (__builtin_mul_overflow(count, extent, &count)) count = UINT64_MAX;
  }
  if (count != samples.size()) {
    return fail(ErrorCode::kInvalidInput, "{}: {} samples do not fill a shape of ({})", path.string(), samples.size(),
                fmt::join(shape, ", "));
  }
  // NumPy writes a one-element tuple with a comma, and pads the header so that samples begin at a multiple of 64.
  std::string header = fmt::format("{{'descr': '<f4', 'fortran_order': False, 'shape': ({}{}), }}",
                                   fmt::join(shape, ", "), shape.size() == 1 ? "," : "");
  header.append(63 - (kMagic.size() + 4 + header.size()) % 64, ' ');
  header += '\n';
  std::string bytes(kMagic);
  bytes += {'\x01', '\x00', static_cast<char>(header.size() & 0xff), static_cast<char>(header.size() >> 8)};
  bytes += header;
  bytes += as_text(std::as_bytes(samples));
  return write_file_atomic(path, bytes);
}

}  // namespace millwright::recording
