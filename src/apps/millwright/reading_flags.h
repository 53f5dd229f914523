// SPDX-License-Identifier: Apache-2.0
// The flags that say how recordings are read, the same for every command that reads some.
#pragma once

#include <optional>

#include <CLI/App.hpp>

#include "recording/recording.h"

namespace millwright::apps {

struct ReadingFlags {
  double rate_hz = 0.0;  // 0: as the files say
  double scale = 1.0;
  std::string variable;
  std::vector<std::string> columns;
  std::vector<std::string> skip_columns;

  void add_to(CLI::App& app) {
    app.add_option("--rate", rate_hz, "samples per second, where the files do not say")->check(CLI::PositiveNumber);
    app.add_option("--scale", scale, "physical units per count, for .i16 and integer .npy");
    app.add_option("--variable", variable, "the variable of a .mat file");
    app.add_option("--columns", columns, "the columns of a .csv that are channels (default: all but the time)");
    app.add_option("--skip-columns", skip_columns, "columns of a .csv that are not channels, labels for instance");
  }

  [[nodiscard]] recording::ReadOptions options() const {
    recording::ReadOptions reading;
    if (rate_hz > 0.0) reading.rate_hz = rate_hz;
    reading.scale = scale;
    reading.variable = variable;
    reading.columns = columns;
    reading.skip_columns = skip_columns;
    return reading;
  }
};

// 0 on the command line stands for "not given".
inline std::optional<size_t> if_given(size_t value) { return value == 0 ? std::nullopt : std::optional(value); }

}  // namespace millwright::apps
