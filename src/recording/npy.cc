// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>

#include "base/files.h"
#include "recording/decoders.h"
#include "recording/npy_header.h"

namespace millwright::recording {
namespace {

constexpr size_t kMaxDimensions = 3;  // (samples), (n, samples) or (n, channels, samples)
constexpr size_t kChunkBytes = 1 << 20;

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

Status read_samples(ByteSource& source, const NpyHeader& header, const NpyElement& element, double scale,
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
  const NpyHeader header = MW_TRY(read_npy_header(source, kMaxDimensions));
  const NpyElement element = MW_TRY(npy_element(header.descr));
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
  header.append(63 - (kNpyMagic.size() + 4 + header.size()) % 64, ' ');
  header += '\n';
  std::string bytes(kNpyMagic);
  bytes += {'\x01', '\x00', static_cast<char>(header.size() & 0xff), static_cast<char>(header.size() >> 8)};
  bytes += header;
  bytes += as_text(std::as_bytes(samples));
  return write_file_atomic(path, bytes);
}

}  // namespace millwright::recording
