// SPDX-License-Identifier: Apache-2.0
// Whatever the text: an error, or a spec that holds its limits, round-trips, and can be named feature by feature.
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "signal/feature_spec.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using millwright::signal::FeatureSpec;
  const auto spec = FeatureSpec::parse_json({reinterpret_cast<const char*>(data), size});
  if (!spec) return 0;
  MW_CHECK(spec->validate().has_value(), "a parsed spec is valid");
  MW_CHECK(spec->feature_names().size() == spec->feature_count(), "every feature has a name");
  const auto again = FeatureSpec::parse_json(spec->to_json());
  MW_CHECK(again.has_value() && again->to_json() == spec->to_json(), "writing and reading give the same spec");
  return 0;
}
