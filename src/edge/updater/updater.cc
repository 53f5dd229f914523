// SPDX-License-Identifier: Apache-2.0
#include "edge/updater/updater.h"

#include <algorithm>
#include <array>

#include <nlohmann/json.hpp>

#include "base/check.h"
#include "base/files.h"
#include "edge/event_log.h"

namespace millwright::edge {
namespace {

using enum UpdateEvent;
using nlohmann::json;

constexpr double kNanosPerSecond = 1e9;
// Probation's counts lost to a power cut are made up by as many strokes more.
constexpr int64_t kSaveProbationNs = 60'000'000'000;
// What a machine did half a year ago says little about today.
constexpr uint64_t kVerdictsRemembered = 100'000;

StrokeCounts minus(const StrokeCounts& a, const StrokeCounts& b) {
  return {.verdicts = a.verdicts - b.verdicts, .alerts = a.alerts - b.alerts, .failures = a.failures - b.failures};
}

void add(StrokeCounts& to, const StrokeCounts& more) {
  to.verdicts += more.verdicts;
  to.alerts += more.alerts;
  to.failures += more.failures;
}

json as_json(const std::optional<InstalledModel>& model) {
  if (!model) return nullptr;
  return {{"digest", model->digest.hex()}, {"target", model->target}};
}

}  // namespace

Updater::Updater(UpdaterOptions options, UpdateHands& hands, const Clock& clock, ModelStore store)
    : options_(std::move(options)), hands_(hands), clock_(clock), store_(std::move(store)), file_(options_.folder) {}

std::filesystem::path Updater::path_of(const std::optional<InstalledModel>& model) const {
  return model ? store_.bundle(model->digest) : options_.factory;
}

// Bits rot, and a card that lost power may give back what it never had.
bool Updater::sound(const std::optional<InstalledModel>& model) const {
  if (!model) return !options_.factory.empty();
  const auto bytes = read_file(store_.bundle(model->digest), kMostBundleBytes);
  return bytes && sha256(*bytes) == model->digest;
}

Result<std::filesystem::path> Updater::open() {
  InstallStateFile::Found found = MW_TRY(file_.load());
  state_ = std::move(found.state);
  on_disk_before_ = std::move(found.before);
  for (const std::string& what : found.unreadable) log(true, "update_state_unreadable", what);
  happen(state_.starts + 1 >= options_.most_starts ? kStartedTooOften : kStarted,
         "the process has started too often while it was tried");
  for (const auto& model : {state_.serving(), state_.active, state_.previous, std::optional<InstalledModel>()}) {
    if (!sound(model)) {
      if (model) log(true, "update_bundle_unreadable", path_of(model).string() + ": gone, or not what was installed");
      continue;
    }
    if (model != state_.serving()) {
      if (state_.phase == UpdatePhase::kProbation) happen(kRefused, "its bundle is gone, or not what was installed");
      state_.active = model;
      dirty_ = true;
    }
    return path_of(model);
  }
  return std::filesystem::path();
}

void Updater::resume() {
  acting_ = true;
  counted_ = hands_.counts();
  ticked_ns_ = saved_ns_ = clock_.monotonic_ns();
  if (state_.phase == UpdatePhase::kDownloading) act(UpdateAction::kDownload);
  if (state_.phase == UpdatePhase::kQualifying) act(UpdateAction::kQualify);
}

void Updater::offer(const InstalledModel& candidate) {
  const auto same = [&](const auto& model) { return model && model->digest == candidate.digest; };
  if (same(state_.serving()) || same(state_.candidate)) return;
  const bool refused = std::ranges::any_of(state_.refused, [&](const Refusal& one) {
    return one.digest == candidate.digest && one.order >= candidate.order;
  });
  if (refused || !next_step(state_.phase, kOffered)) return;
  if (const Status room = store_.prepare(candidate.digest, candidate.bytes); !room) {
    log(true, "update_has_no_room", room.error().message);
    return;
  }
  const auto before = std::exchange(state_.candidate, candidate);
  state_.candidate->since_ns = 0;
  if (!happen(kOffered)) state_.candidate = before;
}

void Updater::withdraw(std::string_view why) { happen(kWithdrawn, why); }

bool Updater::refuse(std::string_view why) { return state_.phase == UpdatePhase::kProbation && happen(kRefused, why); }

void Updater::downloaded(const Status& how) {
  if (state_.phase != UpdatePhase::kDownloading) return;
  if (how) {
    happen(kDownloaded);
  } else {
    happen(kRefused, how.error().message);
  }
}

void Updater::qualified(const Status& how) {
  if (state_.phase != UpdatePhase::kQualifying) return;
  if (how) {
    happen(kQualified);
  } else {
    happen(kRefused, how.error().message);
  }
}

void Updater::tick(bool allowed) {
  count();
  if (state_.phase == UpdatePhase::kWaiting && allowed) happen(kAllowed);
  if (state_.phase == UpdatePhase::kProbation) {
    const ProbationFinding found = judge_probation(state_, failures_in_a_row_, options_.probation);
    if (found.kind == ProbationFinding::Kind::kRefused) happen(kRefused, found.why);
    if (found.kind == ProbationFinding::Kind::kProven) happen(kProven);
  }
  const int64_t now = clock_.monotonic_ns();
  const bool counts_due = state_.phase == UpdatePhase::kProbation && now - saved_ns_ >= kSaveProbationNs;
  if (dirty_ || counts_due) {
    saved_ns_ = now;
    const InstallState before = state_;
    const Status saved = file_.save(state_);
    if (saved) on_disk_before_ = before;
    dirty_ = dirty_ && !saved;
    cleaned_ = cleaned_ && !saved;
  }
  if (!cleaned_ && !dirty_) clean();
}

// What was served since the last time goes to whoever served.
void Updater::count() {
  const StrokeCounts all = hands_.counts();
  const StrokeCounts more = minus(all, counted_);
  counted_ = all;
  const int64_t now = clock_.monotonic_ns();
  const int64_t passed = now - std::exchange(ticked_ns_, now);
  failures_in_a_row_ = more.verdicts > 0 ? 0 : failures_in_a_row_ + more.failures;
  if (state_.phase != UpdatePhase::kProbation) {
    StrokeCounts& before = state_.before;
    add(before, more);
    if (before.verdicts > kVerdictsRemembered) {
      before = {.verdicts = before.verdicts / 2, .alerts = before.alerts / 2, .failures = before.failures / 2};
    }
    return;
  }
  add(state_.probation, more);
  state_.served_ns += passed;
}

InstallState Updater::after(UpdateEvent event, const UpdateStep& step, std::string_view why) {
  InstallState next = state_;
  const bool again = event == kStarted && step.next == state_.phase;
  next.phase = step.next;
  next.starts = again ? state_.starts + 1 : 0;
  switch (step.action) {
    case UpdateAction::kSwap:
      if (again) break;
      next.candidate->since_ns = clock_.wall_ns();
      next.probation = {};
      next.served_ns = 0;
      break;
    case UpdateAction::kCommit:
      next.previous = state_.active;
      next.active = state_.candidate;
      next.before = state_.probation;
      next.candidate.reset();
      break;
    case UpdateAction::kSwapBack:
    case UpdateAction::kForget:
      next.refused.push_back({.digest = state_.candidate->digest,
                              .order = state_.candidate->order,
                              .why = std::string(why),
                              .at_ns = clock_.wall_ns()});
      next.candidate.reset();
      break;
    default: break;
  }
  return next;
}

bool Updater::happen(UpdateEvent event, std::string_view why) {
  const auto step = next_step(state_.phase, event);
  if (!step) return false;
  InstallState next = after(event, *step, why);
  const InstallState before = state_;
  const Status saved = file_.save(next);
  // To go back is never made to wait for a disk; every other step is.
  if (!saved && step->action != UpdateAction::kSwapBack) {
    log(true, "update_not_recorded", saved.error().message);
    return false;
  }
  dirty_ = !saved;
  cleaned_ = false;
  on_disk_before_ = before;
  state_ = std::move(next);
  log(event == kRefused || event == kStartedTooOften, fmt::format("update_{}", name(event)), why);
  if (acting_) act(step->action);
  return true;
}

void Updater::act(UpdateAction action) {
  switch (action) {
    case UpdateAction::kNothing: break;
    case UpdateAction::kDownload:
      hands_.cancel();
      if (store_.has(state_.candidate->digest)) {
        downloaded({});
      } else {
        hands_.download(*state_.candidate);
      }
      break;
    case UpdateAction::kQualify: hands_.qualify(store_.bundle(state_.candidate->digest)); break;
    case UpdateAction::kSwap:
      failures_in_a_row_ = 0;
      if (const Status served = hands_.serve(path_of(state_.candidate)); !served)
        happen(kRefused, served.error().message);
      break;
    case UpdateAction::kSwapBack: {
      failures_in_a_row_ = 0;
      if (const Status served = serve(first_sound()); !served)
        log(true, "update_not_taken_back", served.error().message);
      break;
    }
    case UpdateAction::kCommit: break;
    case UpdateAction::kForget: hands_.cancel(); break;
  }
}

Status Updater::serve(const std::optional<InstalledModel>& model) {
  const auto path = path_of(model);
  if (path.empty()) return fail(ErrorCode::kNotFound, "asset '{}': no model to go back to", options_.asset);
  return hands_.serve(path);
}

std::optional<InstalledModel> Updater::first_sound() {
  for (const auto& model : {state_.active, state_.previous}) {
    if (model && sound(model)) return model;
  }
  return std::nullopt;
}

// What neither record on disk names is nobody's.
void Updater::clean() {
  std::vector<Digest> kept;
  const auto keep = [&](const InstallState& state) {
    for (const auto& model : {state.active, state.previous, state.candidate}) {
      if (model) kept.push_back(model->digest);
    }
  };
  keep(state_);
  if (on_disk_before_) keep(*on_disk_before_);
  store_.keep_only(kept);
  cleaned_ = true;
}

json Updater::status() const {
  json out = {{"phase", name(state_.phase)},
              {"active", as_json(state_.active)},
              {"previous", as_json(state_.previous)},
              {"candidate", as_json(state_.candidate)}};
  if (state_.phase == UpdatePhase::kProbation) {
    out["probation"] = {{"verdicts", state_.probation.verdicts},
                        {"alerts", state_.probation.alerts},
                        {"failures", state_.probation.failures},
                        {"served_s", static_cast<double>(state_.served_ns) / kNanosPerSecond}};
  }
  if (!state_.refused.empty()) {
    const Refusal& last = state_.refused.back();
    out["refused_last"] = {{"digest", last.digest.hex()}, {"why", last.why}, {"at", format_utc(last.at_ns)}};
  }
  return out;
}

void Updater::log(bool error, std::string_view event, std::string_view why) const {
  json details = {{"asset_id", options_.asset}, {"phase", name(state_.phase)}};
  if (state_.candidate) details["candidate"] = state_.candidate->digest.hex();
  if (!why.empty()) details[error ? "error" : "why"] = why;
  log_event(error ? Level::kError : Level::kInfo, event, details);
}

}  // namespace millwright::edge
