// SPDX-License-Identifier: Apache-2.0
#include "recording/recording.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <new>

#include "recording/decoders.h"

namespace millwright::recording {
namespace {

namespace fs = std::filesystem;

constexpr double kMaxRateHz = 1e9;
constexpr double kRateTolerance = 1e-3;

std::string ending(const fs::path& path) {
  std::string text = path.extension().string();
  std::ranges::transform(text, text.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

bool is_recording(const fs::path& path) {
  constexpr std::array<std::string_view, 6> kEndings = {".npy", ".csv", ".wav", ".mat", ".f32", ".i16"};
  return std::ranges::find(kEndings, ending(path)) != kEndings.end();
}

Result<Recording> decode(const fs::path& path, const ReadOptions& options) {
  const std::string kind = ending(path);
  if (!is_recording(path)) {
    return fail(ErrorCode::kInvalidInput, "unknown kind of file; .npy .csv .wav .mat .f32 .i16 can be read");
  }
  if (kind == ".mat") return decode_mat(path, options);
  FileSource source = MW_TRY(FileSource::open(path, kMaxFileBytes));
  if (kind == ".wav") return decode_wav(source, options);
  if (kind == ".npy") return decode_npy(source, options);
  if (kind == ".csv") return decode_csv(source, options);
  if (kind == ".f32") return decode_raw(source, RawSample::kFloat32, options);
  return decode_raw(source, RawSample::kInt16, options);
}

Status check_alike(const Recording& first, const Recording& other) {
  const std::string a = first.path.string();
  const std::string b = other.path.string();
  if (first.channels != other.channels) {
    return fail(ErrorCode::kInvalidInput, "mixed channels: {} has {}, {} has {}", a, first.channels, b, other.channels);
  }
  if ((first.rate_hz == 0.0) != (other.rate_hz == 0.0)) {
    const bool first_unknown = first.rate_hz == 0.0;
    return fail(ErrorCode::kInvalidInput, "mixed rates: {} carries none, {} has {} Hz; give the rate (--rate)",
                first_unknown ? a : b, first_unknown ? b : a, first_unknown ? other.rate_hz : first.rate_hz);
  }
  if (std::abs(first.rate_hz - other.rate_hz) > kRateTolerance * first.rate_hz) {
    return fail(ErrorCode::kInvalidInput, "mixed rates: {} has {} Hz, {} has {} Hz; use recordings of one rate", a,
                first.rate_hz, b, other.rate_hz);
  }
  if (first.windows > 0 && other.windows > 0 && first.length != other.length) {
    return fail(ErrorCode::kInvalidInput, "mixed windows: those of {} have {} samples, those of {} have {}", a,
                first.length, b, other.length);
  }
  return {};
}

}  // namespace

Result<double> agree_on_rate(double in_file, const ReadOptions& options, double tolerance) {
  if (!options.rate_hz) return in_file;
  const double given = *options.rate_hz;
  if (!(given > 0.0) || given > kMaxRateHz) {
    return fail(ErrorCode::kInvalidInput, "a rate of {} Hz; it must be above 0 and at most {}", given, kMaxRateHz);
  }
  if (in_file > 0.0 && std::abs(in_file - given) > tolerance * in_file) {
    return fail(ErrorCode::kInvalidInput, "the file says {} Hz, {} Hz was given; leave the rate out or correct it",
                in_file, given);
  }
  return given;
}

Status check_extent(uint64_t windows, uint64_t channels, uint64_t length) {
  if (windows == 0 || channels == 0 || length == 0) return fail(ErrorCode::kInvalidInput, "holds no samples");
  if (channels > kMaxChannels) {
    return fail(ErrorCode::kTooLarge, "{} channels, the limit is {}", channels, kMaxChannels);
  }
  if (length > kMaxSamples || windows > kMaxSamples || length * channels > kMaxSamples / windows) {
    return fail(ErrorCode::kTooLarge, "{} x {} x {} samples, the limit is {} in all; cut it into several files",
                windows, channels, length, kMaxSamples);
  }
  return {};
}

Result<Recording> read_recording(const fs::path& path, const ReadOptions& options) {
  if (!std::isfinite(options.scale) || options.scale == 0.0) {
    return fail(ErrorCode::kInvalidInput, "a scale of {}; it must be a finite number other than 0", options.scale);
  }
  try {
    Recording recording = MW_TRY_IN(path.string(), decode(path, options));
    recording.path = path;
    return recording;
  } catch (const std::bad_alloc&) {
    return fail(ErrorCode::kTooLarge, "{}: not enough memory for its samples; cut it into several files",
                path.string());
  }
}

Result<std::vector<fs::path>> list_recordings(const fs::path& path) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (!fs::exists(status)) return fail(ErrorCode::kNotFound, "{}: no such file or folder", path.string());
  if (!fs::is_directory(status)) return std::vector<fs::path>{path};

  std::vector<fs::path> found;
  fs::directory_iterator entries(path, error);
  for (; !error && entries != fs::directory_iterator(); entries.increment(error)) {
    const fs::path& entry = entries->path();
    std::error_code ignored;  // an entry that cannot be looked at is passed over like any other file
    if (entry.filename().string().starts_with('.') || !is_recording(entry)) continue;
    if (!fs::is_regular_file(entry, ignored)) continue;
    if (found.size() == kMaxFiles) {
      return fail(ErrorCode::kTooLarge, "{}: more than {} recordings", path.string(), kMaxFiles);
    }
    found.push_back(entry);
  }
  if (error) return fail(ErrorCode::kIo, "{}: cannot list the folder: {}", path.string(), error.message());
  if (found.empty()) {
    return fail(ErrorCode::kInvalidInput, "{}: no recordings in this folder (.npy .csv .wav .mat .f32 .i16)",
                path.string());
  }
  std::ranges::sort(found);
  return found;
}

Result<std::vector<Recording>> read_all(std::span<const fs::path> paths, const ReadOptions& options) {
  std::vector<fs::path> files;
  for (const fs::path& path : paths) {
    const std::vector<fs::path> found = MW_TRY(list_recordings(path));
    files.insert(files.end(), found.begin(), found.end());
    if (files.size() > kMaxFiles) return fail(ErrorCode::kTooLarge, "more than {} recordings", kMaxFiles);
  }
  if (files.empty()) return fail(ErrorCode::kInvalidInput, "no recordings were given");
  std::vector<Recording> recordings;
  uint64_t samples = 0;
  for (const fs::path& file : files) {
    Recording recording = MW_TRY(read_recording(file, options));
    samples += recording.samples.size();
    if (samples > kMaxSamples) {
      return fail(ErrorCode::kTooLarge, "{}: with it there are more than {} samples in all; use fewer recordings",
                  file.string(), kMaxSamples);
    }
    if (!recordings.empty()) MW_CHECK_OK(check_alike(recordings.front(), recording));
    recordings.push_back(std::move(recording));
  }
  return recordings;
}

std::optional<Place> find_not_finite(const Recording& recording) {
  const auto not_finite = [](float value) { return !std::isfinite(value); };
  if (recording.windows == 0) {
    std::optional<Place> first;
    for (size_t c = 0; c < recording.channels; ++c) {
      const auto channel = recording.channel(c).first(first ? first->sample : recording.length);
      const auto found = std::ranges::find_if(channel, not_finite);
      if (found != channel.end()) first = Place{0, c, static_cast<size_t>(found - channel.begin())};
    }
    return first;
  }
  const auto found = std::ranges::find_if(recording.samples, not_finite);
  if (found == recording.samples.end()) return std::nullopt;
  const auto at = static_cast<size_t>(found - recording.samples.begin());
  const size_t per_window = recording.channels * recording.length;
  return Place{at / per_window, at % per_window / recording.length, at % recording.length};
}

std::string describe(const Recording& recording, const Place& place) {
  const std::string channel = place.channel < recording.channel_names.size()
                                  ? in_quotes(recording.channel_names[place.channel])
                                  : fmt::format("{}", place.channel);
  const std::string file = recording.path.string();
  if (recording.first_line > 0) {
    return fmt::format("{}: line {}, column {}", file, recording.first_line + place.sample, channel);
  }
  if (recording.windows == 0) return fmt::format("{}: channel {}, sample {}", file, channel, place.sample);
  return fmt::format("{}: window {}, channel {}, sample {}", file, place.window, channel, place.sample);
}

}  // namespace millwright::recording
