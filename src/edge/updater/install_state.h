// SPDX-License-Identifier: Apache-2.0
// Which model an asset has, and how far the next one has come: one small record, whole on disk after every step.
// FORMAT.md has its layout.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/digest.h"
#include "base/error.h"
#include "edge/updater/transitions.h"

namespace millwright::edge {

// A bundle as the plant's signed metadata names it.
struct InstalledModel {
  Digest digest;         // SHA-256 of the bundle file
  std::string target;    // its name in the metadata: "press7/3.1.0.bundle"
  uint64_t bytes = 0;    // of the file
  uint64_t order = 0;    // of the metadata that named it; a later one may name the same model again
  int64_t since_ns = 0;  // wall: when it began to serve; 0: it does not yet

  friend bool operator==(const InstalledModel&, const InstalledModel&) = default;
};

// A candidate that was not taken, or was taken back.
struct Refusal {
  Digest digest;
  uint64_t order = 0;  // the same order is not tried again; a later one is
  std::string why;
  int64_t at_ns = 0;  // wall

  friend bool operator==(const Refusal&, const Refusal&) = default;
};

// What the model before did, for probation to compare with.
struct StrokeCounts {
  uint64_t verdicts = 0;  // GO and NO_GO
  uint64_t alerts = 0;
  uint64_t failures = 0;  // no verdict because of the model: it failed, or was too late

  friend bool operator==(const StrokeCounts&, const StrokeCounts&) = default;
};

inline constexpr size_t kRefusalsKept = 16;
inline constexpr size_t kMostReasonBytes = 500;

struct InstallState {
  uint64_t sequence = 0;  // of this record; rises with each that is written
  UpdatePhase phase = UpdatePhase::kIdle;
  std::optional<InstalledModel> active;     // committed; none: the configuration's own bundle, the factory model
  std::optional<InstalledModel> previous;   // committed before it; none: the factory model
  std::optional<InstalledModel> candidate;  // in every phase but idle
  uint32_t starts = 0;                      // of the process in this phase
  int64_t served_ns = 0;                    // in probation, over all starts
  StrokeCounts probation;
  StrokeCounts before;           // of the model that was active
  std::vector<Refusal> refused;  // the latest last, at most kRefusalsKept

  // The one whose verdicts count now; none: the factory model.
  [[nodiscard]] const std::optional<InstalledModel>& serving() const {
    return phase == UpdatePhase::kProbation ? candidate : active;
  }
  friend bool operator==(const InstallState&, const InstallState&) = default;
};

// One line of JSON and one with its SHA-256.
std::string to_text(const InstallState& state);
// kCorrupt: torn, changed, or members that do not fit each other; kUnsupported: of another version.
Result<InstallState> parse_install_state(std::string_view text);

// Two files, written in turn: where one is unreadable, the record before it holds. One thread at a time.
class InstallStateFile {
 public:
  explicit InstallStateFile(std::filesystem::path folder) : folder_(std::move(folder)) {}

  struct Found {
    InstallState state;
    std::optional<InstallState> before;   // the other file's: what it names must be kept too
    std::vector<std::string> unreadable;  // what is wrong with each file that could not be read
  };
  // A folder without files is an asset that has only ever had its factory model. kIo: the disk does not answer, which
  // may pass; what is unreadable for good is named in the result.
  [[nodiscard]] Result<Found> load() const;
  // Durable when it returns; raises the record's sequence. On error the records on disk stand as they were.
  Status save(InstallState& state) const;

 private:
  [[nodiscard]] std::filesystem::path path(uint64_t sequence) const;

  std::filesystem::path folder_;
};

}  // namespace millwright::edge
