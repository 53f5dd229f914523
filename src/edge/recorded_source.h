// SPDX-License-Identifier: Apache-2.0
// Plays recordings, in real time or as fast as the box decides. A file of windows is one trigger per window.
#pragma once

#include <filesystem>
#include <memory>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "edge/source.h"
#include "edge/waiter.h"
#include "recording/recording.h"

namespace millwright::edge {

struct RecordedOptions {
  std::vector<std::filesystem::path> paths;  // files and folders
  recording::ReadOptions read;
  size_t channels = 1;
  double rate_hz = 0.0;              // what the asset expects; 0: a curve, paced by strokes_per_minute alone
  size_t length = 0;                 // of a window
  double strokes_per_minute = 18.0;  // for files of windows, in real time
  bool fast = false;
};

class RecordedSource final : public SampleSource {
 public:
  // Reads everything into memory, so that playing never waits for a disk. Errors name file and place.
  static Result<std::unique_ptr<RecordedSource>> create(const RecordedOptions& options, const Clock& clock);

  [[nodiscard]] SourceShape shape() const override { return {options_.channels, options_.rate_hz}; }
  Block next(size_t max_frames, int64_t until_ns) override;
  void stop() noexcept override { waiter_.stop(); }
  [[nodiscard]] bool live() const override { return false; }
  [[nodiscard]] const SourceCounters& counters() const override { return counters_; }
  // Windows come with a trigger each; one long recording has none.
  [[nodiscard]] bool has_triggers() const;

 private:
  RecordedSource(RecordedOptions options, std::vector<recording::Recording> recordings, const Clock& clock);
  bool prepare(size_t max_frames);
  [[nodiscard]] double frame_seconds(const recording::Recording& recording) const;

  RecordedOptions options_;
  std::vector<recording::Recording> recordings_;
  const Clock& clock_;
  SourceCounters counters_;
  Waiter waiter_;
  std::vector<float> block_;
  signal::TriggerEvent event_;
  size_t file_ = 0;
  size_t window_ = 0;
  size_t position_ = 0;  // frames of this recording or window handed out
  size_t ready_ = 0;
  bool has_event_ = false;
  bool gap_ = false;  // another file begins
  int64_t started_ns_ = -1;
  double seconds_ = 0.0;  // of sample time handed out
};

}  // namespace millwright::edge
