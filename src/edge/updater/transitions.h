// SPDX-License-Identifier: Apache-2.0
// How an asset gets another model, as a table: where it stands, what happens, where it stands then, what is to be done.
// Nothing else decides about an update.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace millwright::edge {

// Where an asset stands; durable, so that a power cut at any instant is followed by kStarted in one of these.
enum class UpdatePhase : uint8_t {
  kIdle,         // one model, committed; the one before is kept
  kDownloading,  // a candidate is signed for this box; its bytes come
  kQualifying,   // its bytes are here and are those signed; it is tried in a child process
  kWaiting,      // it has passed, and waits for the maintenance window or the operator
  kProbation,    // it serves; the model before it is ready to come back
};

enum class UpdateEvent : uint8_t {
  kOffered,          // a candidate that is signed for this box, other than what serves
  kWithdrawn,        // the plant does not want it any more
  kDownloaded,       // all bytes are here, and are those signed
  kQualified,        // golden vectors, latency and memory are right on this box
  kAllowed,          // the maintenance window is open, and nobody has deferred it
  kProven,           // probation's time and verdicts are over
  kRefused,          // the candidate is no good: what came, or what it did; with the reason
  kStarted,          // the process has started
  kStartedTooOften,  // the same, once more than a model under trial may need
};

// What is to be done once the new phase is durable.
enum class UpdateAction : uint8_t {
  kNothing,
  kDownload,  // begin, or go on where it stopped
  kQualify,   // in a child process
  kSwap,      // the candidate serves from the next stroke on
  kCommit,    // the model before is kept; what is older goes
  kSwapBack,  // the model before serves from the next stroke on
  kForget,    // the candidate's bytes go, and why is told
};

struct UpdateStep {
  UpdatePhase next;
  UpdateAction action;
};

struct UpdateTransition {
  UpdatePhase phase;
  UpdateEvent event;
  UpdatePhase next;
  UpdateAction action;
};

// All there are. What it does not list changes nothing: a candidate that is offered during probation is offered again
// later, a download that ends after its candidate was withdrawn is nobody's.
std::span<const UpdateTransition> update_transitions();

// nullopt: the event changes nothing in this phase.
std::optional<UpdateStep> next_step(UpdatePhase phase, UpdateEvent event);

// Lower-case words, for the state file, logs and metrics ("probation").
std::string_view name(UpdatePhase phase);
std::string_view name(UpdateEvent event);
std::optional<UpdatePhase> update_phase_from(std::string_view name);

}  // namespace millwright::edge
