// SPDX-License-Identifier: Apache-2.0
// Where assets get their judges: a bundle is loaded and proven on the CPU, which serves at once; the rungs above are
// climbed in the background and swapped in between strokes. What failed for a trouble that may pass is tried again.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "base/clock.h"
#include "base/error.h"
#include "edge/asset.h"
#include "edge/config.h"
#include "edge/judges/rung_climber.h"
#include "metrics/registry.h"

namespace millwright::edge {

// The control thread only.
class Judges {
 public:
  // All must outlive it.
  Judges(const Config& config, const Clock& clock, metrics::Registry& metrics)
      : Judges(config, clock, metrics, judge_maker(config.inference)) {}
  Judges(const Config& config, const Clock& clock, metrics::Registry& metrics, JudgeMaker maker);
  ~Judges();
  Judges(const Judges&) = delete;
  Judges& operator=(const Judges&) = delete;

  using Assets = std::span<const std::unique_ptr<Asset>>;

  // For assets that play what waits for them a missing model is an error; a live one goes on without, and says so in
  // every record.
  Status load_all(Assets assets, bool live);
  // Another bundle for an asset that runs; what is wrong with it is logged, and the one that serves stays.
  bool reload(Asset& asset, const std::filesystem::path& bundle);
  // Tries again what was due, hands over what the climber has found, steps down from a rung that fails while it serves.
  void tick(Assets assets);
  // Of one asset: each rung with its state and why it does not serve; empty before a bundle was loaded.
  [[nodiscard]] nlohmann::json status(const std::string& asset) const;

 private:
  // Bundles that could not be loaded for a trouble that may pass.
  struct Retry {
    AssetConfig config;
    int64_t wait_ns = 0;
    int64_t next_ns = 0;
  };
  // The rungs of the bundle that an asset has, in the order of the configuration.
  struct Ladder {
    AssetConfig config;  // with the bundle's file
    std::shared_ptr<const model::LoadedBundle> bundle;
    std::vector<inference::RungFinding> findings;
    size_t serving = 0;            // as many as there are: none
    uint64_t failures_before = 0;  // of the model, when the rung began to serve
  };

  Status load(Asset& asset, const AssetConfig& config);
  // Serves on the CPU if the configuration has it and it is fast enough, and orders the others.
  Status begin(Asset& asset, const AssetConfig& config, std::shared_ptr<const model::LoadedBundle> bundle,
               std::vector<inference::RungFinding> findings);
  void refuse(Asset& asset, const AssetConfig& config, const Error& why);
  void retry(Assets assets);
  void take(ClimbNews news, Asset& asset);
  void step_down(Asset& asset);
  void serve(Asset& asset, Ladder& ladder, size_t index);
  void show(const std::string& asset, const Ladder& ladder);

  const Config& config_;
  const Clock& clock_;
  metrics::Registry& metrics_;
  const JudgeMaker maker_;
  std::map<std::string, Retry> retries_;
  std::map<std::string, Ladder> ladders_;
  std::map<std::string, std::vector<inference::RungState>> shown_;  // as labels of metrics
  RungClimber climber_;
};

}  // namespace millwright::edge
