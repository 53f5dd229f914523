// SPDX-License-Identifier: Apache-2.0
#include "edge/recorded_source.h"

#include <algorithm>

namespace millwright::edge {
namespace {

constexpr double kNanosPerSecond = 1e9;
constexpr size_t kBlockFrames = 4096;
constexpr double kRealTimeBlockSeconds = 0.01;

Status check_shape(const recording::Recording& recording, const RecordedOptions& options) {
  const std::string path = recording.path.string();
  if (recording.channels != options.channels) {
    return fail(ErrorCode::kInvalidInput, "{}: {} channels, but the asset's window has {}", path, recording.channels,
                options.channels);
  }
  if (recording.rate_hz > 0.0 && options.rate_hz > 0.0 && recording.rate_hz != options.rate_hz) {
    return fail(ErrorCode::kInvalidInput, "{}: {} Hz, but the asset's window has rate_hz = {}", path, recording.rate_hz,
                options.rate_hz);
  }
  if (recording.windows > 0 && recording.length != options.length) {
    return fail(ErrorCode::kInvalidInput, "{}: windows of {} samples, but the asset's window has length = {}", path,
                recording.length, options.length);
  }
  return {};
}

}  // namespace

Result<std::unique_ptr<RecordedSource>> RecordedSource::create(const RecordedOptions& options, const Clock& clock) {
  std::vector<recording::Recording> recordings;
  for (const auto& path : options.paths) {
    for (const auto& file : MW_TRY(recording::list_recordings(path))) {
      recordings.push_back(MW_TRY(recording::read_recording(file, options.read)));
      MW_CHECK_OK(check_shape(recordings.back(), options));
      if ((recordings.back().windows > 0) != (recordings.front().windows > 0)) {
        return fail(ErrorCode::kInvalidInput, "{}: windows and long recordings cannot be played by one asset",
                    file.string());
      }
    }
  }
  if (recordings.empty()) return fail(ErrorCode::kInvalidInput, "no recordings to play");
  return std::unique_ptr<RecordedSource>(new RecordedSource(options, std::move(recordings), clock));
}

RecordedSource::RecordedSource(RecordedOptions options, std::vector<recording::Recording> recordings,
                               const Clock& clock)
    : options_(std::move(options)), recordings_(std::move(recordings)), clock_(clock) {
  block_.resize(options_.channels * kBlockFrames);
}

bool RecordedSource::has_triggers() const { return recordings_.front().windows > 0; }

double RecordedSource::frame_seconds(const recording::Recording& recording) const {
  if (recording.windows > 0) return 60.0 / options_.strokes_per_minute / static_cast<double>(recording.length);
  return options_.rate_hz > 0.0 ? 1.0 / options_.rate_hz : 0.0;
}

// Puts the next samples into block_, from one file and one window only. False: everything was played.
bool RecordedSource::prepare(size_t max_frames) {
  while (file_ < recordings_.size() && position_ == recordings_[file_].length) {
    position_ = 0;
    if (++window_ < recordings_[file_].windows) continue;
    window_ = 0;
    ++file_;
    // Two long recordings were not made in one go: no window may lie across both.
    gap_ = file_ < recordings_.size() && recordings_[file_].windows == 0;
  }
  if (file_ == recordings_.size()) return false;
  const recording::Recording& recording = recordings_[file_];
  const double frame = frame_seconds(recording);
  size_t most = std::min(max_frames, kBlockFrames);
  if (!options_.fast && frame > 0.0) {
    most = std::min(most, static_cast<size_t>(kRealTimeBlockSeconds / frame) + 1);
  }
  ready_ = std::min(most, recording.length - position_);
  const auto samples = recording.windows > 0 ? recording.window(window_) : std::span<const float>(recording.samples);
  for (size_t c = 0; c < options_.channels; ++c) {
    const auto from = samples.subspan(c * recording.length + position_, ready_);
    std::copy(from.begin(), from.end(), block_.begin() + static_cast<ptrdiff_t>(c * ready_));
  }
  has_event_ = recording.windows > 0 && position_ == 0;
  event_ = {.sample = 0, .cycle = std::nullopt};
  return true;
}

Block RecordedSource::next(size_t max_frames, int64_t until_ns) {
  if (waiter_.stopped()) return {.kind = Block::Kind::kStopped};
  if (started_ns_ < 0) started_ns_ = clock_.monotonic_ns();
  if (ready_ == 0 && !prepare(max_frames)) return {.kind = Block::Kind::kEnd};
  const double block_seconds = static_cast<double>(ready_) * frame_seconds(recordings_[file_]);
  int64_t arrival = clock_.monotonic_ns();
  if (!options_.fast) {
    arrival = started_ns_ + static_cast<int64_t>((seconds_ + block_seconds) * kNanosPerSecond);
    if (const auto instead = waiter_.wait_for_samples(clock_, arrival, until_ns)) return *instead;
  }
  Block block{.kind = Block::Kind::kSamples, .frames = ready_, .arrival_ns = arrival};
  block.planar = std::span<const float>(block_).first(options_.channels * ready_);
  block.gap_frames = gap_ ? 1 : 0;
  gap_ = false;
  if (has_event_) block.events = std::span(&event_, 1);
  position_ += ready_;
  seconds_ += block_seconds;
  counters_.frames.fetch_add(ready_, std::memory_order_relaxed);
  ready_ = 0;
  return block;
}

}  // namespace millwright::edge
