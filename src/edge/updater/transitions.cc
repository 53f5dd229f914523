// SPDX-License-Identifier: Apache-2.0
#include "edge/updater/transitions.h"

#include <algorithm>
#include <array>

namespace millwright::edge {
namespace {

using enum UpdatePhase;
using enum UpdateEvent;
using enum UpdateAction;

constexpr std::array kTransitions = std::to_array<UpdateTransition>({
    {kIdle, kOffered, kDownloading, kDownload},

    {kDownloading, kDownloaded, kQualifying, kQualify},
    {kDownloading, kStarted, kDownloading, kDownload},
    {kDownloading, kOffered, kDownloading, kDownload},  // a newer one
    {kDownloading, kWithdrawn, kIdle, kForget},
    {kDownloading, kRefused, kIdle, kForget},

    {kQualifying, kQualified, kWaiting, kNothing},
    {kQualifying, kStarted, kQualifying, kQualify},
    {kQualifying, kStartedTooOften, kIdle, kForget},  // trying it takes the box down
    {kQualifying, kWithdrawn, kIdle, kForget},
    {kQualifying, kRefused, kIdle, kForget},

    {kWaiting, kAllowed, kProbation, kSwap},
    {kWaiting, kStarted, kWaiting, kNothing},
    {kWaiting, kOffered, kDownloading, kDownload},
    {kWaiting, kWithdrawn, kIdle, kForget},

    {kProbation, kProven, kIdle, kCommit},
    {kProbation, kStarted, kProbation, kSwap},
    {kProbation, kStartedTooOften, kIdle, kSwapBack},
    {kProbation, kWithdrawn, kIdle, kSwapBack},
    {kProbation, kRefused, kIdle, kSwapBack},
});

constexpr std::array<std::string_view, 5> kPhaseNames = {"idle", "downloading", "qualifying", "waiting", "probation"};
constexpr std::array<std::string_view, 9> kEventNames = {
    "offered", "withdrawn", "downloaded", "qualified", "allowed", "proven", "refused", "started", "started_too_often"};

}  // namespace

std::span<const UpdateTransition> update_transitions() { return kTransitions; }

std::optional<UpdateStep> next_step(UpdatePhase phase, UpdateEvent event) {
  const auto found = std::ranges::find_if(
      kTransitions, [&](const UpdateTransition& one) { return one.phase == phase && one.event == event; });
  if (found == kTransitions.end()) return std::nullopt;
  return UpdateStep{.next = found->next, .action = found->action};
}

std::string_view name(UpdatePhase phase) { return kPhaseNames.at(static_cast<size_t>(phase)); }
std::string_view name(UpdateEvent event) { return kEventNames.at(static_cast<size_t>(event)); }

std::optional<UpdatePhase> update_phase_from(std::string_view name) {
  const auto found = std::ranges::find(kPhaseNames, name);
  if (found == kPhaseNames.end()) return std::nullopt;
  return static_cast<UpdatePhase>(found - kPhaseNames.begin());
}

}  // namespace millwright::edge
