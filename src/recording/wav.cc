// SPDX-License-Identifier: Apache-2.0
// Reads through libsndfile, but only what this file has looked at first: libsndfile knows two dozen formats, some with
// decoders of other projects behind them, and quietly shortens a file whose data ends early.
#include <sndfile.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>
#include <memory>
#include <optional>

#include "recording/decoders.h"

namespace millwright::recording {
namespace {

constexpr size_t kMaxChunks = 1000;
constexpr size_t kFramesAtOnce = 1 << 14;
constexpr uint16_t kPcm = 1;
constexpr uint16_t kFloat = 3;
constexpr uint16_t kExtensible = 0xFFFE;

uint16_t u16(const std::byte* at) {
  uint16_t value;
  std::memcpy(&value, at, sizeof value);
  return value;
}

uint32_t u32(const std::byte* at) {
  uint32_t value;
  std::memcpy(&value, at, sizeof value);
  return value;
}

// The fields of the "fmt " chunk that decide.
Status check_format(ByteSource& source, uint64_t offset, uint64_t size) {
  std::array<std::byte, 26> format{};
  if (size < 16) return fail(ErrorCode::kCorrupt, "a WAV format of {} bytes, 16 are needed", size);
  MW_CHECK_OK(source.read_at(offset, std::span(format).first(std::min<uint64_t>(size, format.size()))));
  uint16_t coding = u16(format.data());
  const uint16_t channels = u16(format.data() + 2);
  const uint16_t block = u16(format.data() + 12);
  const uint16_t bits = u16(format.data() + 14);
  // The extensible form keeps the coding in the first field of its identifier.
  if (coding == kExtensible && size >= format.size()) coding = u16(format.data() + 24);
  const bool known = (coding == kPcm && (bits == 8 || bits == 16 || bits == 24 || bits == 32)) ||
                     (coding == kFloat && (bits == 32 || bits == 64));
  if (!known) {
    return fail(ErrorCode::kUnsupported, "WAV coding {} with {} bits; save it as PCM of 8 to 32 bits or as float",
                coding, bits);
  }
  if (block != channels * (bits / 8)) {
    return fail(ErrorCode::kCorrupt, "{} channels of {} bits do not fit frames of {} bytes", channels, bits, block);
  }
  return check_extent(1, channels, 1);
}

// Walks the chunks up to the samples: there must be one format that can be read, and all of the samples.
Status check_chunks(ByteSource& source) {
  std::array<std::byte, 12> head{};
  if (source.size() < head.size())
    return fail(ErrorCode::kCorrupt, "{} bytes are too few for a WAV file", source.size());
  MW_CHECK_OK(source.read_at(0, head));
  if (std::memcmp(head.data(), "RIFF", 4) != 0 || std::memcmp(head.data() + 8, "WAVE", 4) != 0) {
    return fail(ErrorCode::kInvalidInput, "not a WAV file: it does not begin with RIFF and WAVE");
  }
  bool has_format = false;
  uint64_t offset = head.size();
  for (size_t chunk = 0; chunk < kMaxChunks; ++chunk) {
    if (source.size() - offset < 8) return fail(ErrorCode::kCorrupt, "cut short: its samples are missing");
    MW_CHECK_OK(source.read_at(offset, std::span(head).first(8)));
    const uint64_t size = u32(head.data() + 4);
    offset += 8;
    if (size > source.size() - offset) {
      return fail(ErrorCode::kCorrupt, "cut short: a part of {} bytes begins at byte {}, {} are there", size, offset,
                  source.size() - offset);
    }
    if (std::memcmp(head.data(), "fmt ", 4) == 0) {
      if (has_format) return fail(ErrorCode::kCorrupt, "two WAV formats in one file");
      MW_CHECK_OK(check_format(source, offset, size));
      has_format = true;
    } else if (std::memcmp(head.data(), "data", 4) == 0) {
      if (!has_format) return fail(ErrorCode::kCorrupt, "samples stand before their WAV format");
      return {};
    }
    offset = std::min(offset + size + size % 2, source.size());
  }
  return fail(ErrorCode::kTooLarge, "more than {} parts before the samples", kMaxChunks);
}

// What libsndfile calls to read; it expects a position and no exceptions.
struct Cursor {
  ByteSource* source;
  uint64_t position = 0;
};

sf_count_t cursor_length(void* user) { return static_cast<sf_count_t>(static_cast<Cursor*>(user)->source->size()); }

sf_count_t cursor_seek(sf_count_t offset, int whence, void* user) {
  auto* cursor = static_cast<Cursor*>(user);
  const auto size = static_cast<sf_count_t>(cursor->source->size());
  const sf_count_t base = whence == SEEK_SET   ? 0
                          : whence == SEEK_END ? size
                                               : static_cast<sf_count_t>(cursor->position);
  // Compared without adding, because a hostile offset may overflow the sum.
  if (offset < -base || offset > size - base) return -1;
  cursor->position = static_cast<uint64_t>(base + offset);
  return base + offset;
}

sf_count_t cursor_read(void* into, sf_count_t count, void* user) {
  auto* cursor = static_cast<Cursor*>(user);
  if (count <= 0) return 0;
  const uint64_t left = cursor->source->size() - cursor->position;
  const auto bytes = static_cast<size_t>(std::min<uint64_t>(static_cast<uint64_t>(count), left));
  if (!cursor->source->read_at(cursor->position, std::span(static_cast<std::byte*>(into), bytes))) return 0;
  cursor->position += bytes;
  return static_cast<sf_count_t>(bytes);
}

sf_count_t cursor_write(const void*, sf_count_t, void*) { return 0; }

sf_count_t cursor_tell(void* user) { return static_cast<sf_count_t>(static_cast<Cursor*>(user)->position); }

struct CloseSound {
  void operator()(SNDFILE* sound) const { sf_close(sound); }
};

Status read_frames(SNDFILE* sound, Recording& recording, double scale) {
  std::vector<double> frames(kFramesAtOnce * recording.channels);
  for (size_t done = 0; done < recording.length;) {
    const size_t wanted = std::min(kFramesAtOnce, recording.length - done);
    const sf_count_t got = sf_readf_double(sound, frames.data(), static_cast<sf_count_t>(wanted));
    if (got <= 0) {
      return fail(ErrorCode::kCorrupt, "cut short: {} of {} samples per channel could be read", done, recording.length);
    }
    for (size_t i = 0; i < static_cast<size_t>(got); ++i) {
      for (size_t c = 0; c < recording.channels; ++c) {
        recording.samples[c * recording.length + done + i] =
            static_cast<float>(frames[i * recording.channels + c] * scale);
      }
    }
    done += static_cast<size_t>(got);
  }
  return {};
}

}  // namespace

Result<Recording> decode_wav(ByteSource& source, const ReadOptions& options) {
  MW_CHECK_OK(check_chunks(source));
  SF_VIRTUAL_IO io = {cursor_length, cursor_seek, cursor_read, cursor_write, cursor_tell};
  Cursor cursor{&source};
  SF_INFO info{};
  const std::unique_ptr<SNDFILE, CloseSound> sound(sf_open_virtual(&io, SFM_READ, &info, &cursor));
  if (!sound) return fail(ErrorCode::kCorrupt, "not a WAV file that can be read: {}", sf_strerror(nullptr));
  if (info.channels <= 0 || info.frames <= 0 || info.samplerate <= 0) {
    return fail(ErrorCode::kInvalidInput, "holds no samples: {} channels, {} samples, {} Hz", info.channels,
                info.frames, info.samplerate);
  }
  Recording recording;
  recording.channels = static_cast<size_t>(info.channels);
  recording.length = static_cast<size_t>(info.frames);
  MW_CHECK_OK(check_extent(1, recording.channels, recording.length));
  // Every sample needs at least a byte, whatever the library believes.
  if (recording.length > source.size() / recording.channels) {
    return fail(ErrorCode::kCorrupt, "{} samples do not fit into {} bytes", recording.length, source.size());
  }
  recording.rate_hz = MW_TRY(agree_on_rate(info.samplerate, options, 0.0));
  recording.samples.resize(recording.channels * recording.length);
  MW_CHECK_OK(read_frames(sound.get(), recording, options.scale));
  return recording;
}

}  // namespace millwright::recording
