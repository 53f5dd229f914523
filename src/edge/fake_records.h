// SPDX-License-Identifier: Apache-2.0
// Records kept in memory, and a folder that goes away with the test.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/temporary_folder.h"
#include "edge/journal.h"
#include "edge/output.h"
#include "model/stroke_record.h"

namespace millwright::edge {

class FakeSink final : public RecordSink {
 public:
  Status append(std::string_view lines, uint64_t) override {
    if (failing) return fail(ErrorCode::kIo, "the test says so");
    while (!lines.empty()) {
      const size_t end = lines.find('\n');
      records.push_back(*model::parse_json_line(lines.substr(0, end)));
      lines.remove_prefix(end + 1);
    }
    return {};
  }
  bool failing = false;
  std::vector<model::StrokeRecord> records;
};

class FakeOutput final : public Output {
 public:
  FakeOutput() {
    states.reserve(100'000);
    opened_before_states.reserve(100'000);
  }
  void drive(const OutputState& state) noexcept override {
    states.push_back(state);
    if (on_drive) on_drive();
  }
  void opened(uint64_t stroke_id) noexcept override { opened_before_states.emplace_back(stroke_id, states.size()); }
  void stands(bool stop, bool alarm) noexcept override { stood.emplace_back(stop, alarm); }
  void heartbeat(uint64_t beat) noexcept override { beats = beat; }
  bool take_alarm_ack() noexcept override { return std::exchange(alarm_ack, false); }
  std::vector<OutputState> states;
  std::vector<std::pair<bool, bool>> stood;  // stop, alarm
  std::function<void()> on_drive;
  uint64_t beats = 0;
  bool alarm_ack = false;
  std::vector<std::pair<uint64_t, size_t>> opened_before_states;  // stroke id, how many states there were
};

}  // namespace millwright::edge
