// SPDX-License-Identifier: Apache-2.0
// Figures on real data: each prints a table for people and ends with one line of JSON.
#pragma once

#include <cstdint>
#include <filesystem>

#include <fmt/format.h>

#include "base/error.h"
#include "lab/metrics.h"

namespace millwright::results {

struct Options {
  std::filesystem::path data;  // the folder of all data sets
  uint64_t seed = 1;
};

Status screw(const Options& options);
Status skab(const Options& options);
Status cwru(const Options& options);

inline std::string with_interval(double value, const lab::Interval& ci) {
  return fmt::format("{:.3f} [{:.3f}, {:.3f}]", value, ci.low, ci.high);
}

}  // namespace millwright::results
