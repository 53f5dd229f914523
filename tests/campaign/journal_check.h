// SPDX-License-Identifier: Apache-2.0
// Holds the records of a campaign against what the machine did.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "base/error.h"
#include "campaign/plc.h"
#include "model/verdict.h"

namespace millwright::campaign {

struct JournalFindings {
  uint64_t records = 0;
  uint64_t missing = 0;         // cycles without a record
  uint64_t duplicates = 0;      // cycles with more than one
  uint64_t disorder = 0;        // stroke ids that do not grow by one
  uint64_t late_go = 0;         // GO or NO_GO after the deadline, by the PLC's stamps or by its own latency
  uint64_t late_by_itself = 0;  // of these: by its own latency
  uint64_t contradictions = 0;  // the PLC did not hear last what the record says
  uint64_t false_verdicts = 0;  // GO or NO_GO during another fault, GO for an anomaly, NO_GO for a good stroke
  std::map<std::string, uint64_t> verdicts;
  std::map<std::string, uint64_t> reasons;
  // No failures: what a PLC passes over, and what a kill between output and record leaves behind.
  uint64_t heard_late = 0;     // GO or NO_GO stood at the output after the deadline, and was taken back
  uint64_t heard_in_vain = 0;  // GO or NO_GO stood there in time, and the record says deadline or restart

  [[nodiscard]] uint64_t failures() const {
    return missing + duplicates + disorder + late_go + contradictions + false_verdicts;
  }
};

struct JournalQuestion {
  std::filesystem::path folder;  // of records-*.jsonl
  uint64_t cycles = 0;           // 1 .. cycles must have one record each
  int64_t deadline_ns = 0;
  uint64_t seed = 0;
  bool judged = true;        // false: nobody judges, every record is NO_VERDICT
  const Plc* plc = nullptr;  // the machine's own stamps, where it keeps any
};

Result<JournalFindings> check_journal(const JournalQuestion& question);

}  // namespace millwright::campaign
