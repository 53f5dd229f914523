// SPDX-License-Identifier: Apache-2.0
// Holds the records of a campaign against what the machine did.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "base/error.h"
#include "model/verdict.h"

namespace millwright::campaign {

struct JournalFindings {
  uint64_t records = 0;
  uint64_t missing = 0;         // cycles without a record
  uint64_t duplicates = 0;      // cycles with more than one
  uint64_t disorder = 0;        // stroke ids that do not grow by one
  uint64_t late_go = 0;         // GO or NO_GO after the deadline, by its own latency or by what was injected
  uint64_t false_verdicts = 0;  // GO or NO_GO during another fault, GO for an anomaly, NO_GO for a good stroke
  std::map<std::string, uint64_t> verdicts;
  std::map<std::string, uint64_t> reasons;

  [[nodiscard]] uint64_t failures() const { return missing + duplicates + disorder + late_go + false_verdicts; }
};

struct JournalQuestion {
  std::filesystem::path folder;  // of records-*.jsonl
  uint64_t cycles = 0;           // 1 .. cycles must have one record each
  int64_t deadline_ns = 0;
  uint64_t seed = 0;
  bool judged = true;  // false: nobody judges, every record is NO_VERDICT
};

Result<JournalFindings> check_journal(const JournalQuestion& question);

}  // namespace millwright::campaign
