// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstring>

#include "recording/decoders.h"

namespace millwright::recording {
namespace {

constexpr size_t kChunkBytes = 1 << 20;

template <typename T>
Result<Recording> decode(ByteSource& source, const ReadOptions& options, std::string_view type) {
  if (!options.rate_hz) {
    return fail(ErrorCode::kInvalidInput, "raw samples carry no rate; give the rate in Hz (--rate)");
  }
  if (source.size() % sizeof(T) != 0) {
    return fail(ErrorCode::kCorrupt, "{} bytes are not a whole number of {} samples", source.size(), type);
  }
  Recording recording;
  recording.rate_hz = MW_TRY(agree_on_rate(0.0, options, 0.0));
  recording.length = source.size() / sizeof(T);
  MW_CHECK_OK(check_extent(1, 1, recording.length));
  recording.samples.resize(recording.length);
  std::vector<T> chunk(std::min(kChunkBytes / sizeof(T), recording.length));
  for (size_t done = 0; done < recording.length; done += chunk.size()) {
    const auto part = std::span(chunk).first(std::min(chunk.size(), recording.length - done));
    MW_CHECK_OK(source.read_at(done * sizeof(T), std::as_writable_bytes(part)));
    std::ranges::transform(part, recording.samples.begin() + static_cast<ptrdiff_t>(done),
                           [&](T value) { return static_cast<float>(static_cast<double>(value) * options.scale); });
  }
  return recording;
}

}  // namespace

Result<Recording> decode_raw(ByteSource& source, RawSample kind, const ReadOptions& options) {
  return kind == RawSample::kFloat32 ? decode<float>(source, options, "float32")
                                     : decode<int16_t>(source, options, "int16");
}

}  // namespace millwright::recording
