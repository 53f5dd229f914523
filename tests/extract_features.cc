// SPDX-License-Identifier: Apache-2.0
// Features of raw windows, for comparison with other programs.
// usage: extract_features SPEC CHANNELS LENGTH RATE < WINDOWS.f32 > FEATURES.f32
#include <cstdio>
#include <vector>

#include <fmt/format.h>

#include "base/numbers.h"
#include "signal/features.h"

using namespace millwright;

int main(int argc, char** argv) {
  const auto channels = argc == 5 ? parse_int(argv[2]) : std::nullopt;
  const auto length = argc == 5 ? parse_int(argv[3]) : std::nullopt;
  const auto rate = argc == 5 ? parse_double(argv[4]) : std::nullopt;
  if (!channels || !length || !rate || *channels < 1 || *length < 1) {
    fmt::print(stderr, "usage: {} SPEC CHANNELS LENGTH RATE < WINDOWS.f32 > FEATURES.f32\n", argv[0]);
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
  std::vector<float> samples(spec->channels * spec->length);
  std::vector<float> features(extractor->feature_count());
  while (std::fread(samples.data(), sizeof(float), samples.size(), stdin) == samples.size()) {
    extractor->extract({samples, spec->channels, spec->length, spec->rate_hz}, features);
    if (std::fwrite(features.data(), sizeof(float), features.size(), stdout) != features.size()) return 3;
  }
  return 0;
}
