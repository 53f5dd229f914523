// SPDX-License-Identifier: Apache-2.0
// MATLAB files through matio, which is known to crash on hostile files: it reads in a child process with limits, and
// the child's answer is checked like a file. What matio does not notice is looked at before: whether the file is whole.
#include <algorithm>
#include <array>
#include <cctype>
#include <cstring>

#include "recording/decoders.h"
#include "recording/mat_answer.h"
#include "recording/mat_library.h"

namespace millwright::recording {
namespace {

constexpr int64_t kDeadlineMs = 300'000;
// A variable and its copies may take so much of the child's memory for each byte of the file: a file of a few hundred
// bytes can ask for gigabytes, but a recording hardly compresses.
constexpr uint64_t kChildBytesPerByte = 64;
constexpr uint64_t kChildBaseBytes = 256ULL << 20;
constexpr uint64_t kMaxChildBytes = kMaxSamples * sizeof(double) + kChildBaseBytes;
constexpr uint64_t kHeaderBytes = 128;
constexpr size_t kMaxElements = 100'000;

uint32_t u32(const std::byte* at, bool swap) {
  uint32_t value;
  std::memcpy(&value, at, sizeof value);
  return swap ? __builtin_bswap32(value) : value;
}

std::string printable(std::string text) {
  std::ranges::replace_if(text, [](unsigned char c) { return c < 0x20 || c == 0x7f; }, '?');
  return text;
}

}  // namespace

// Versions 5 and 7 are a header and elements of (type, bytes), each of which must lie in the file.
Status check_mat_elements(ByteSource& source) {
  std::array<std::byte, kHeaderBytes> header{};
  if (source.size() < header.size()) return {};  // version 4, or nothing that matio opens
  MW_CHECK_OK(source.read_at(0, header));
  const bool little = std::memcmp(header.data() + 126, "IM", 2) == 0;
  const bool big = std::memcmp(header.data() + 126, "MI", 2) == 0;
  const auto version = std::to_integer<unsigned>(header[little ? 125 : 124]);
  if ((!little && !big) || version != 1) return {};  // version 4 has no such header, 7.3 is HDF5
  uint64_t offset = header.size();
  for (size_t element = 0; offset < source.size(); ++element) {
    if (element == kMaxElements) return fail(ErrorCode::kTooLarge, "more than {} variables", kMaxElements);
    std::array<std::byte, 8> tag{};
    if (source.size() - offset < tag.size()) return fail(ErrorCode::kCorrupt, "cut short at byte {}", source.size());
    MW_CHECK_OK(source.read_at(offset, tag));
    const uint64_t bytes = u32(tag.data() + 4, big);
    offset += tag.size();
    if (bytes > source.size() - offset) {
      return fail(ErrorCode::kCorrupt, "cut short: a variable of {} bytes begins at byte {}, {} are there", bytes,
                  offset, source.size() - offset);
    }
    offset += bytes;
  }
  return {};
}

Result<Recording> decode_mat_answer(const AnswerReader& answer, uint64_t file_bytes, const ReadOptions& options) {
  MatReply head;
  MW_CHECK_OK(answer(std::as_writable_bytes(std::span(&head, 1))));
  if (head.magic != kMatMagic || head.text_bytes > kMaxMatText ||
      head.code > static_cast<uint32_t>(ErrorCode::kCancelled) + 1) {
    return fail(ErrorCode::kCorrupt, "the reader's answer makes no sense; the file is damaged");
  }
  std::string text(head.text_bytes, '\0');
  MW_CHECK_OK(answer(std::as_writable_bytes(std::span(text))));
  text = printable(std::move(text));
  if (head.code != 0 && text.empty()) text = "refused without a reason";
  if (head.code != 0) return std::unexpected(Error{static_cast<ErrorCode>(head.code - 1), std::move(text)});

  // A vector of either direction is one channel; the longer side of a matrix is time.
  const bool rows_are_channels = head.rows < head.columns;
  const uint64_t length = std::max(head.rows, head.columns);
  const uint64_t channels = std::min(head.rows, head.columns);
  MW_CHECK_OK(check_extent(1, channels, length));
  if (channels * length > file_bytes * kMaxMatExpansion) {
    return fail(ErrorCode::kCorrupt, "{} x {} samples cannot come out of {} bytes", head.rows, head.columns,
                file_bytes);
  }
  Recording recording;
  recording.rate_hz = MW_TRY(agree_on_rate(0.0, options, 0.0));
  recording.channels = channels;
  recording.length = length;
  std::vector<float> columns(channels * length);
  MW_CHECK_OK(answer(std::as_writable_bytes(std::span(columns))));
  for (float& sample : columns) sample = static_cast<float>(sample * options.scale);
  if (channels > 1) {
    recording.notes.push_back(fmt::format("variable {} ({} x {}) is read as {} channels of {} samples", in_quotes(text),
                                          head.rows, head.columns, channels, length));
  }
  if (rows_are_channels && channels > 1) {
    recording.samples.resize(columns.size());
    for (size_t i = 0; i < columns.size(); ++i) recording.samples[i % channels * length + i / channels] = columns[i];
  } else {
    recording.samples = std::move(columns);
  }
  return recording;
}

Result<Recording> decode_mat(const std::filesystem::path& path, const ReadOptions& options) {
  FileSource source = MW_TRY(FileSource::open(path, kMaxFileBytes));
  MW_CHECK_OK(check_mat_elements(source));
  MW_CHECK_OK(load_mat_library());
  const uint64_t memory = std::min(kMaxChildBytes, kChildBaseBytes + kChildBytesPerByte * source.size());
  IsolatedRun child = MW_TRY(IsolatedRun::start(
      {memory, kDeadlineMs}, [&](Reply& reply) { answer_mat(path, options.variable, source.size(), reply); }));
  return decode_mat_answer([&](std::span<std::byte> into) { return child.read(into); }, source.size(), options);
}

}  // namespace millwright::recording
