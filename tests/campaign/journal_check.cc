// SPDX-License-Identifier: Apache-2.0
#include "campaign/journal_check.h"

#include <algorithm>
#include <fstream>

#include "campaign/stroke_script.h"
#include "model/stroke_record.h"

namespace millwright::campaign {
namespace {

using model::Verdict;

bool is_scripted_late(Fault fault) { return fault == Fault::kSlowModel || fault == Fault::kLateWindow; }

// GO or NO_GO on record: the PLC must have heard it last, and in time.
void check_decided(const model::StrokeRecord& record, const JournalQuestion& question, Fault fault,
                   JournalFindings& findings) {
  const bool late_by_itself = record.latency_ns > question.deadline_ns;
  bool late = late_by_itself;
  if (question.plc != nullptr) {
    const Cycle& cycle = question.plc->cycles[record.plc_cycle];
    if (!cycle.last.says(record.verdict)) ++findings.contradictions;
    late = late || cycle.late(cycle.last);
  }
  const Fault honest = record.verdict == Verdict::kGo ? Fault::kNone : Fault::kAnomaly;
  findings.late_by_itself += late_by_itself ? 1 : 0;
  if (late) {
    ++findings.late_go;
  } else if (fault != honest) {
    ++findings.false_verdicts;
  }
}

// NO_VERDICT on record. A process may be stopped between its last look at the clock and its output, or killed between
// output and record; a PLC passes over what comes after its deadline. But what was late before it was judged must never
// stand at the output, and what stood there must be taken back by a loop that lives on.
void check_undecided(const model::StrokeRecord& record, const JournalQuestion& question, Fault fault,
                     JournalFindings& findings) {
  if (question.plc == nullptr) return;
  const Cycle& cycle = question.plc->cycles[record.plc_cycle];
  if (!cycle.first.decided()) return;
  const bool killed = record.reason == model::Reason::kRestart;
  const bool taken_back = record.reason == model::Reason::kDeadline && cycle.last.says(Verdict::kNoVerdict);
  if (is_scripted_late(fault)) {
    ++findings.late_go;
  } else if (!killed && !taken_back) {
    ++findings.contradictions;
  } else {
    ++(cycle.late(cycle.first) ? findings.heard_late : findings.heard_in_vain);
  }
}

void check_verdict(const model::StrokeRecord& record, const JournalQuestion& question, JournalFindings& findings) {
  const Fault fault = question.judged ? fault_of(question.seed, record.plc_cycle) : Fault::kFlat;
  if (record.verdict == Verdict::kNoVerdict) {
    check_undecided(record, question, fault, findings);
  } else {
    check_decided(record, question, fault, findings);
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
      if (record.plc_cycle == 0 || record.plc_cycle > question.cycles) {
        ++findings.disorder;
        continue;
      }
      check_verdict(record, question, findings);
      if (seen[record.plc_cycle] < 2) ++seen[record.plc_cycle];
    }
  }
  for (uint64_t cycle = 1; cycle <= question.cycles; ++cycle) {
    if (seen[cycle] == 0) ++findings.missing;
    if (seen[cycle] > 1) ++findings.duplicates;
  }
  return findings;
}

}  // namespace millwright::campaign
