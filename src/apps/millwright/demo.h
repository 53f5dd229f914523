// SPDX-License-Identifier: Apache-2.0
// The demo's steps: collect, train, run, report. Real processes: the agent is started as a plant would start it.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "base/error.h"
#include "lab/report/demo_report.h"

namespace millwright::apps {

// Runs `agent --config FILE --fast` to its end and shows how many of `expected` records are written meanwhile.
// kUnavailable with the last lines of its log where it ends with another status than 0.
// `watch` is told every so often how many there are; its error ends the run.
Status run_agent(const std::filesystem::path& config, const std::filesystem::path& state, uint64_t expected,
                 const std::string& what, const std::function<Status(uint64_t)>& watch = {});

// Trains on `recordings` and writes the bundle; `name` is the press.
Status train_press(const std::string& name, const std::filesystem::path& recordings, double rate_hz, size_t window,
                   const std::filesystem::path& bundle);

// The table's row of one press from its records: who was announced when. Checks that ids are contiguous.
struct Judged {
  uint64_t training_strokes = 0;  // records up to this stroke are not judged
  uint64_t triggered = 0;         // by the PLC's counter or the number of windows played
  bool known = true;              // somebody knows which strokes are bad
  uint64_t bad_from = 0;          // an alarm from this stroke on is right; 0: none is
};
Result<lab::AssetReport> summarise(const std::string& name, const std::filesystem::path& records, const Judged& judged);

// Writes OUT/report.html and prints the table; the status says whether the contract held.
Result<int> conclude(const std::filesystem::path& out, const lab::DemoReport& report);

// The demo on four simulated presses, and on the recordings of a folder.
struct DemoOptions {
  std::filesystem::path out = "demo";
  std::filesystem::path data;  // empty: simulated presses
  double rate_hz = 0.0;
  size_t window = 2048;
};
Result<int> demo_on_presses(const DemoOptions& options);
Result<int> demo_on_recordings(const DemoOptions& options);

}  // namespace millwright::apps
