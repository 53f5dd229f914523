// SPDX-License-Identifier: Apache-2.0
// One asset's way to another model: what the table (transitions.h) says is made durable first and done then, so that a
// kill or a power cut at any instant leaves one valid model that serves.
#pragma once

#include <filesystem>
#include <string>

#include <nlohmann/json_fwd.hpp>

#include "base/clock.h"
#include "base/error.h"
#include "edge/updater/install_state.h"
#include "edge/updater/model_store.h"
#include "edge/updater/probation.h"

namespace millwright::edge {

// What the updater has done for it; the agent's are real, a test has its own. Called on the control thread.
class UpdateHands {
 public:
  virtual ~UpdateHands() = default;
  // Begins to fetch the candidate's bytes into its part, or goes on where they end; Updater::downloaded() hears of it.
  virtual void download(const InstalledModel& candidate) = 0;
  // Begins to try the bundle on this box, in a child process; Updater::qualified() hears of it.
  virtual void qualify(const std::filesystem::path& bundle) = 0;
  // Whatever of these two is under way is nobody's any more, and is not told.
  virtual void cancel() = 0;
  // The loop takes this bundle at a stroke boundary. On error the one that serves goes on.
  virtual Status serve(const std::filesystem::path& bundle) = 0;
  // Strokes since the process has started, of whatever model served.
  virtual StrokeCounts counts() = 0;
};

struct UpdaterOptions {
  std::filesystem::path folder;   // of this asset's models and records
  std::filesystem::path factory;  // the configuration's own bundle, never touched; empty: there is none
  std::string asset;
  ProbationRules probation;
  uint32_t most_starts = 3;  // this start of the process with the same model under trial goes back
};

// The control thread only.
class Updater {
 public:
  // Options, hands and clock outlive it.
  Updater(UpdaterOptions options, UpdateHands& hands, const Clock& clock, ModelStore store);

  // At the start of the process, once: reads where the asset stands, goes back where a model under trial has taken the
  // process down too often, and says which bundle is to serve: the first of what should, the committed one, the one
  // before, the factory's, whose bytes are still right. Empty: there is none. kIo: the disk does not answer.
  Result<std::filesystem::path> open();
  // What was going on goes on; after the model that open() named serves.
  void resume();

  // Metadata signed for this box name this model. Nothing happens if it serves or was refused under the same order.
  void offer(const InstalledModel& candidate);
  // They name none any more, or the operator says no; a model under trial goes back.
  void withdraw(std::string_view why);
  // A model under trial is no good; false: there is none.
  bool refuse(std::string_view why);
  void downloaded(const Status& how);
  void qualified(const Status& how);
  // Each second: `allowed` says whether a swap may be now.
  void tick(bool allowed);

  [[nodiscard]] const InstallState& state() const { return state_; }
  // That serves, or is about to; empty: none.
  [[nodiscard]] std::filesystem::path bundle() const { return path_of(state_.serving()); }
  // For status.json and the log.
  [[nodiscard]] nlohmann::json status() const;

 private:
  // False: the event changes nothing now, or the step could not be made durable.
  bool happen(UpdateEvent event, std::string_view why = {});
  [[nodiscard]] InstallState after(UpdateEvent event, const UpdateStep& step, std::string_view why);
  void act(UpdateAction action);
  Status serve(const std::optional<InstalledModel>& model);
  void count();
  void clean();
  [[nodiscard]] std::filesystem::path path_of(const std::optional<InstalledModel>& model) const;
  [[nodiscard]] bool sound(const std::optional<InstalledModel>& model) const;
  [[nodiscard]] std::optional<InstalledModel> first_sound();
  void log(bool error, std::string_view event, std::string_view why) const;

  const UpdaterOptions options_;
  UpdateHands& hands_;
  const Clock& clock_;
  const ModelStore store_;
  const InstallStateFile file_;
  InstallState state_;
  std::optional<InstallState> on_disk_before_;  // what the other file names must stay
  bool acting_ = false;                         // since resume(): there is somebody to do what the table says
  bool dirty_ = false;                          // the state on disk is behind
  bool cleaned_ = false;                        // nothing lies about that the state does not name
  StrokeCounts counted_;                        // by the hands, when they were last asked
  uint64_t failures_in_a_row_ = 0;
  int64_t ticked_ns_ = 0;  // monotonic
  int64_t saved_ns_ = 0;   // monotonic: probation's counts are written now and then
};

}  // namespace millwright::edge
