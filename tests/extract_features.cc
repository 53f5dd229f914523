// SPDX-License-Identifier: Apache-2.0
// Features of raw windows, for comparison with other programs.
// usage: extract_features SPEC CHANNELS LENGTH RATE [BATCH] < WINDOWS.f32 > FEATURES.f32
// BATCH: windows per call of extract_batch(); without it they are taken one at a time by extract().
#include <cstdio>
#include <vector>

#include <fmt/format.h>

#include "base/numbers.h"
#include "signal/features.h"

using namespace millwright;

int main(int argc, char** argv) {
  const auto channels = argc >= 5 ? parse_int(argv[2]) : std::nullopt;
  const auto length = argc >= 5 ? parse_int(argv[3]) : std::nullopt;
  const auto rate = argc >= 5 ? parse_double(argv[4]) : std::nullopt;
  const auto batch = argc == 6 ? parse_int(argv[5]) : std::optional<int64_t>(0);
  if (argc > 6 || !channels || !length || !rate || !batch || *channels < 1 || *length < 1 || *batch < 0) {
    fmt::print(stderr, "usage: {} SPEC CHANNELS LENGTH RATE [BATCH] < WINDOWS.f32 > FEATURES.f32\n", argv[0]);
    return 2;
  }
  const auto spec =
      signal::FeatureSpec::named(argv[1], static_cast<size_t>(*channels), static_cast<size_t>(*length), *rate);
  if (!spec) {
    fmt::print(stderr, "{}\n", spec.error().message);
    return 2;
  }
  auto extractor = signal::FeatureExtractor::create(*spec);
  if (!extractor) {
    fmt::print(stderr, "{}\n", extractor.error().message);
    return 2;
  }
  const size_t window = spec->channels * spec->length;
  const size_t at_once = *batch > 0 ? static_cast<size_t>(*batch) : 1;
  std::vector<float> samples(at_once * window);
  std::vector<float> features(at_once * extractor->feature_count());
  std::vector<signal::Window> windows;
  windows.reserve(at_once);
  for (size_t i = 0; i < at_once; ++i) {
    windows.push_back({std::span(samples).subspan(i * window, window), spec->channels, spec->length, spec->rate_hz});
  }
  while (const size_t count = std::fread(samples.data(), sizeof(float) * window, at_once, stdin)) {
    const auto out = std::span(features).first(count * extractor->feature_count());
    if (*batch > 0) {
      extractor->extract_batch(std::span(windows).first(count), out);
    } else {
      extractor->extract(windows[0], out);
    }
    if (std::fwrite(out.data(), sizeof(float), out.size(), stdout) != out.size()) return 3;
  }
  return 0;
}
