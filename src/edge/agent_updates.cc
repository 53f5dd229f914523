// SPDX-License-Identifier: Apache-2.0
// How other models come into a running agent.
#include "edge/agent.h"
#include "edge/judges/bundle_judge.h"
#include "edge/updater/qualification.h"
#include "edge/updater/signed_source.h"

namespace millwright::edge {

// Each asset that takes updates begins with the bundle that it had last, in place of the configuration's.
Status Agent::open_updates() {
  if (!config_.updates) return {};
  UpdateWorld world;
  world.source = std::make_unique<SignedSource>(config_.updates->root, config_.state / "updates",
                                                fetcher_for(*config_.updates), clock_);
  world.qualify = [this, maker = judge_maker(config_.inference)](const AssetConfig& asset,
                                                                 const std::filesystem::path& bundle, int cancel_fd) {
    return qualify_bundle(asset, bundle, config_.inference, maker, cancel_fd);
  };
  world.serve = [this](const std::string& id, const std::filesystem::path& bundle) -> Status {
    Asset* const asset = find(id);
    if (asset == nullptr) return fail(ErrorCode::kNotFound, "no asset '{}'", id);
    if (judges_.reload(*asset, bundle)) return {};
    return fail(ErrorCode::kRefused, "{}: it was good in its trial and cannot be loaded; see model_refused",
                bundle.string());
  };
  world.counts = [this](const std::string& id) {
    const Asset* const asset = find(id);
    return asset == nullptr ? StrokeCounts{} : asset->stroke_counts();
  };
  updates_ = std::make_unique<Updates>(config_, clock_, std::move(world));
  const auto bundles = MW_TRY(updates_->open());
  for (AssetConfig& asset : config_.assets) {
    if (const auto found = bundles.find(asset.id); found != bundles.end()) asset.bundle = found->second;
  }
  return {};
}

void Agent::begin_updates() {
  if (!updates_) return;
  updates_->resume();
  for (const auto& asset : assets_) {
    // Nothing was judged yet: the model under trial did not come up.
    if (asset->live() && asset->model() == Digest{}) {
      updates_->refuse(asset->id(), "it could not be loaded at the start; see model_refused");
    }
  }
}

}  // namespace millwright::edge
