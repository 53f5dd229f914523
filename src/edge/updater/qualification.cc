// SPDX-License-Identifier: Apache-2.0
#include "edge/updater/qualification.h"

#include "inference/ladder.h"

namespace millwright::edge {

Status qualify_bundle(const AssetConfig& asset, const std::filesystem::path& bundle, const InferenceConfig& settings,
                      const JudgeMaker& maker, int cancel_fd) {
  AssetConfig wanted = asset;
  wanted.bundle = bundle;
  const model::LoadedBundle loaded = MW_TRY(maker.load(wanted));
  const inference::TrialReport sound = MW_TRY(maker.try_on(loaded, inference::Rung{}, cancel_fd));
  const auto try_one = [&](const inference::Rung& rung) -> Result<inference::TrialReport> {
    const auto report =
        rung.provider == inference::Provider::kCpu ? sound : MW_TRY(maker.try_on(loaded, rung, cancel_fd));
    MW_CHECK_OK(within_budget(loaded, report, settings));
    return report;
  };
  const inference::Climb climbed = inference::climb(settings.ladder, try_one);
  if (climbed.index < settings.ladder.size()) return {};
  const std::string why = climbed.findings.empty() ? "the ladder is empty" : climbed.findings.back().why;
  return fail(ErrorCode::kRefused, "no provider of this box runs it: {}", why);
}

}  // namespace millwright::edge
