// SPDX-License-Identifier: Apache-2.0
#include "cwru_data.h"

#include <cmath>
#include <map>

#include "base/files.h"
#include "base/numbers.h"
#include "base/random.h"
#include "recording/recording.h"

namespace millwright::results {
namespace {

std::vector<std::string> cells_of(std::string_view line) {
  std::vector<std::string> cells;
  size_t start = 0;
  for (size_t end = line.find(','); end != std::string_view::npos; end = line.find(',', start)) {
    cells.emplace_back(trim(line.substr(start, end - start)));
    start = end + 1;
  }
  cells.emplace_back(trim(line.substr(start)));
  return cells;
}

}  // namespace

Result<std::vector<BearingRecording>> load_cwru(const std::filesystem::path& folder) {
  const std::string index = MW_TRY(read_text_file(folder / "index.csv", 1 << 20));
  std::map<std::string, size_t> column;
  std::vector<BearingRecording> recordings;
  size_t start = 0;
  for (size_t end = index.find('\n'); end != std::string::npos; end = index.find('\n', start)) {
    const std::vector<std::string> cells = cells_of(std::string_view(index).substr(start, end - start));
    start = end + 1;
    if (column.empty()) {
      for (size_t c = 0; c < cells.size(); ++c) column[cells[c]] = c;
      continue;
    }
    const auto cell = [&](const char* name) -> std::string {
      const auto at = column.find(name);
      return at == column.end() || at->second >= cells.size() ? "" : cells[at->second];
    };
    if (cell("channel") != "DE") continue;
    const auto rate = parse_double(cell("fs_hz"));
    const auto scale = parse_double(cell("scale"));
    if (!rate || !scale)
      return fail(ErrorCode::kCorrupt, "{}: a row without rate or scale", (folder / "index.csv").string());
    BearingRecording r{.file = folder / cell("file"),
                       .group = cell("group"),
                       .channel = "DE",
                       .fault = cell("fault"),
                       .diameter_mil = static_cast<int>(parse_int(cell("diameter_mil")).value_or(0)),
                       .load_hp = static_cast<int>(parse_int(cell("load_hp")).value_or(0)),
                       .rate_hz = *rate,
                       .scale = *scale,
                       .samples = {}};
    recording::ReadOptions reading;
    reading.rate_hz = r.rate_hz;
    reading.scale = r.scale;
    r.samples = MW_TRY(recording::read_recording(r.file, reading)).samples;
    recordings.push_back(std::move(r));
  }
  return recordings;
}

lab::WindowSet cut(const BearingRecording& recording, const Cut& how) {
  const auto n = static_cast<double>(recording.samples.size());
  double power = 0.0;
  for (const float v : recording.samples) power += static_cast<double>(v) * v / n;
  const double noise = how.snr_db ? std::sqrt(power * std::pow(10.0, -*how.snr_db / 10.0)) : 0.0;
  Random random(how.seed);
  lab::WindowSet set;
  set.length = how.length;
  set.rate_hz = recording.rate_hz;
  set.files = {recording.file};
  const auto first = static_cast<size_t>(how.from * n);
  const auto last = static_cast<size_t>(how.to * n);
  for (size_t at = first; at + how.length <= last; at += how.length) {
    std::vector<double> window(how.length);
    double sum = 0.0;
    for (size_t i = 0; i < how.length; ++i) {
      window[i] = recording.samples[at + i] + noise * random.normal();
      sum += window[i] * window[i];
    }
    const double level = how.keep_level ? 1.0 : std::sqrt(sum / static_cast<double>(how.length));
    for (const double v : window) set.samples.push_back(static_cast<float>(v / level));
    set.origins.push_back({.file = 0,
                           .index = set.origins.size(),
                           .first_sample = at,
                           .start_s = static_cast<double>(at) / recording.rate_hz});
  }
  return set;
}

void append(lab::WindowSet& set, const lab::WindowSet& more) {
  if (set.size() == 0) {
    set = more;
    return;
  }
  for (lab::Origin origin : more.origins) {
    origin.file += set.files.size();
    set.origins.push_back(origin);
  }
  set.files.insert(set.files.end(), more.files.begin(), more.files.end());
  set.samples.insert(set.samples.end(), more.samples.begin(), more.samples.end());
}

}  // namespace millwright::results
