// SPDX-License-Identifier: Apache-2.0
#include "lab/windows.h"

#include <algorithm>
#include <cmath>

#include "base/digest.h"
#include "recording/window_cutter.h"
#include "signal/curve.h"

namespace millwright::lab {
namespace {

using recording::Recording;

// The window length to cut `r` with; 0 where the file holds windows.
Result<size_t> cut_length(const Recording& r, const CutOptions& options) {
  if (r.windows > 0) return options.resample ? 0 : options.window.value_or(0);
  if (options.window) return *options.window;
  if (options.resample) return r.length;
  return fail(ErrorCode::kInvalidInput,
              "{}: is one long recording of {} samples; state --window (samples per window), or --resample where the "
              "file is one curve",
              r.path.string(), r.length);
}

// Appends one window, resampled where asked.
void append(std::span<const float> planar, size_t length, const CutOptions& options, WindowSet& set) {
  if (!options.resample) {
    set.samples.insert(set.samples.end(), planar.begin(), planar.end());
    return;
  }
  const size_t at = set.samples.size();
  set.samples.resize(at + set.channels * set.length);
  for (size_t c = 0; c < set.channels; ++c) {
    signal::resample_linear(planar.subspan(c * length, length),
                            std::span(set.samples).subspan(at + c * set.length, set.length));
  }
}

Status add_recording(const Recording& r, const CutOptions& options, WindowSet& set) {
  if (const auto bad = recording::find_not_finite(r)) {
    return fail(ErrorCode::kInvalidInput, "{}: the sample is not a finite number; remove or repair that part",
                recording::describe(r, *bad));
  }
  const size_t length = MW_TRY(cut_length(r, options));
  const size_t hop = options.hop.value_or(std::max<size_t>(length, 1));
  auto cut = recording::cut_windows(r, length, hop);
  if (!cut) return std::unexpected(std::move(cut).error());
  const size_t target = options.resample.value_or(cut->length());
  if (set.size() > 0 && set.length != target) {
    return fail(ErrorCode::kInvalidInput, "{}: windows of {} samples where the files before have {}; use --resample",
                r.path.string(), target, set.length);
  }
  set.length = target;
  set.channels = r.channels;
  if (set.channel_names.empty()) set.channel_names = r.channel_names;
  if (r.windows == 0 && !options.resample) set.hop = hop;
  const double rate = r.rate_hz > 0.0 ? r.rate_hz : options.reading.rate_hz.value_or(0.0);
  set.rate_hz = options.resample ? 0.0 : rate;
  set.files.push_back(r.path);
  for (size_t i = 0; i < cut->size(); ++i) {
    append(cut->at(i), cut->length(), options, set);
    set.origins.push_back({.file = set.files.size() - 1,
                           .index = i,
                           .first_sample = cut->first_sample(i),
                           .start_s = rate > 0.0 ? cut->start_s(i) : 0.0});
  }
  return {};
}

}  // namespace

Result<WindowSet> load_windows(std::span<const std::filesystem::path> paths, const CutOptions& options) {
  if (paths.empty()) return fail(ErrorCode::kInvalidInput, "no recordings are named");
  if ((options.window && *options.window == 0) || (options.hop && *options.hop == 0)) {
    return fail(ErrorCode::kInvalidInput, "--window and --hop are counts of samples, at least 1");
  }
  if (options.resample && (*options.resample < 8 || *options.resample > signal::kMaxWindowLength)) {
    return fail(ErrorCode::kInvalidInput, "--resample {}: it is 8 to {} points", *options.resample,
                signal::kMaxWindowLength);
  }
  WindowSet set;
  if (options.resample) {
    // Curves of different lengths are what resampling is for: each file is read by itself.
    for (const std::filesystem::path& path : paths) {
      for (const std::filesystem::path& file : MW_TRY(recording::list_recordings(path))) {
        const Recording r = MW_TRY(recording::read_recording(file, options.reading));
        if (set.size() > 0 && r.channels != set.channels) {
          return fail(ErrorCode::kInvalidInput, "{}: has {} channels where {} has {}", r.path.string(), r.channels,
                      set.files.front().string(), set.channels);
        }
        MW_CHECK_OK(add_recording(r, options, set));
      }
    }
    return set;
  }
  for (const Recording& r : MW_TRY(recording::read_all(paths, options.reading))) {
    MW_CHECK_OK(add_recording(r, options, set));
  }
  return set;
}

Result<std::vector<float>> extract_features(const signal::FeatureSpec& spec, const WindowSet& windows) {
  if (windows.channels != spec.channels || windows.length != spec.length) {
    return fail(ErrorCode::kInvalidInput, "{}: windows of {} channel(s) x {} samples, but the features want {} x {}",
                windows.files.empty() ? "recordings" : windows.files.front().string(), windows.channels, windows.length,
                spec.channels, spec.length);
  }
  signal::FeatureExtractor extractor = MW_TRY(signal::FeatureExtractor::create(spec));
  const size_t count = extractor.feature_count();
  std::vector<float> rows(windows.size() * count);
  for (size_t i = 0; i < windows.size(); ++i) {
    const std::span<float> row = std::span(rows).subspan(i * count, count);
    extractor.extract(windows.window(i), row);
    const auto bad = std::ranges::find_if_not(row, [](float v) { return std::isfinite(v); });
    if (bad != row.end()) {
      const Origin& origin = windows.origins[i];
      return fail(ErrorCode::kInvalidInput,
                  "{}: window {}: feature '{}' is not a finite number; are the samples in a "
                  "sensible unit?",
                  windows.files[origin.file].string(), origin.index,
                  spec.feature_names()[static_cast<size_t>(bad - row.begin())]);
    }
  }
  return rows;
}

std::string data_digest(const WindowSet& windows) {
  Sha256 hash;
  hash.update(fmt::format("windows {} channels {} length {} rate {}\n", windows.size(), windows.channels,
                          windows.length, windows.rate_hz));
  hash.update(std::as_bytes(std::span(windows.samples)));
  return hash.finish().hex();
}

}  // namespace millwright::lab
