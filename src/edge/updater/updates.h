// SPDX-License-Identifier: Apache-2.0
// The updates of all assets of an agent: asks for news now and then, and drives each asset's updater.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "base/clock.h"
#include "base/random.h"
#include "edge/config.h"
#include "edge/updater/update_source.h"
#include "edge/updater/update_worker.h"
#include "edge/updater/updater.h"

namespace millwright::edge {

// What the agent does for updates. Outlives them.
struct UpdateWorld {
  std::unique_ptr<UpdateSource> source;
  // Whether this box can run the bundle for this asset; on the worker's thread, with its cancel_fd.
  std::function<Status(const AssetConfig&, const std::filesystem::path& bundle, int cancel_fd)> qualify;
  // The asset's loop takes the bundle at a stroke boundary; the control thread.
  std::function<Status(const std::string& asset, const std::filesystem::path& bundle)> serve;
  // Since the process has started; the control thread.
  std::function<StrokeCounts(const std::string& asset)> counts;
};

// The control thread only.
class Updates {
 public:
  // Config and clock outlive it.
  Updates(const Config& config, const Clock& clock, UpdateWorld world);
  ~Updates();
  Updates(const Updates&) = delete;
  Updates& operator=(const Updates&) = delete;

  // Once, before any bundle is loaded: which bundle each asset that takes updates serves, by its id. An empty path: the
  // asset has none yet.
  Result<std::map<std::string, std::filesystem::path>> open();
  // What was under way goes on, and the first look is soon.
  void resume();
  // Each second.
  void tick();
  // Somebody says that there is news: the next look is at once.
  void look_now() { next_look_ns_ = 0; }
  // False: no such asset, or nothing to take back.
  bool withdraw(std::string_view asset, std::string_view why);

  // The model under trial is no good; as withdraw() where there is none.
  bool refuse(std::string_view asset, std::string_view why);

  // The bundle that serves or is about to; empty: none, or the asset takes no updates.
  [[nodiscard]] std::filesystem::path serving(std::string_view asset) const;
  // Of one asset; null where it takes none.
  [[nodiscard]] nlohmann::json status(std::string_view asset) const;

 private:
  class Hands;
  struct Member {
    const AssetConfig& asset;
    std::string target;
    std::unique_ptr<Hands> hands;
    std::unique_ptr<Updater> updater;
  };
  void look();
  void heard(const Status& how);
  [[nodiscard]] const Member* find(std::string_view asset) const;
  [[nodiscard]] bool allowed() const;

  const Config& config_;
  const Clock& clock_;
  UpdateWorld world_;
  std::vector<Member> members_;
  Random random_;
  int64_t next_look_ns_ = 0;   // monotonic
  uint64_t looking_ = 0;       // the worker's number; 0: not now
  uint64_t looks_failed_ = 0;  // in a row
  std::string failed_logged_;
  // The worker's, until the look has ended.
  std::shared_ptr<std::vector<std::optional<InstalledModel>>> found_;
  UpdateWorker worker_;  // last: it ends before what its work uses
};

}  // namespace millwright::edge
