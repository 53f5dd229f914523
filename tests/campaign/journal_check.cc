// SPDX-License-Identifier: Apache-2.0
#include "campaign/journal_check.h"

#include <algorithm>
#include <fstream>

#include "campaign/stroke_script.h"
#include "model/stroke_record.h"

namespace millwright::campaign {
namespace {

using model::Verdict;

void check_verdict(const model::StrokeRecord& record, const JournalQuestion& question, JournalFindings& findings) {
  if (record.verdict == Verdict::kNoVerdict) return;
  const Fault fault = question.judged ? fault_of(question.seed, record.plc_cycle) : Fault::kFlat;
  const bool late =
      record.latency_ns > question.deadline_ns || fault == Fault::kSlowModel || fault == Fault::kLateWindow;
  const Fault honest = record.verdict == Verdict::kGo ? Fault::kNone : Fault::kAnomaly;
  if (late) {
    ++findings.late_go;
  } else if (fault != honest) {
    ++findings.false_verdicts;
  }
}

}  // namespace

Result<JournalFindings> check_journal(const JournalQuestion& question) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(question.folder)) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  JournalFindings findings;
  std::vector<uint8_t> seen(question.cycles + 1, 0);
  uint64_t last_id = 0;
  for (const auto& file : files) {
    std::ifstream in(file);
    for (std::string line; std::getline(in, line);) {
      const auto record = MW_TRY_IN(file.string(), model::parse_json_line(line));
      ++findings.records;
      if (record.stroke_id != last_id + 1) ++findings.disorder;
      last_id = record.stroke_id;
      ++findings.verdicts[std::string(model::name(record.verdict))];
      ++findings.reasons[std::string(model::name(record.reason))];
      check_verdict(record, question, findings);
      if (record.plc_cycle == 0 || record.plc_cycle > question.cycles) {
        ++findings.disorder;
      } else if (seen[record.plc_cycle] < 2) {
        ++seen[record.plc_cycle];
      }
    }
  }
  for (uint64_t cycle = 1; cycle <= question.cycles; ++cycle) {
    if (seen[cycle] == 0) ++findings.missing;
    if (seen[cycle] > 1) ++findings.duplicates;
  }
  return findings;
}

}  // namespace millwright::campaign
