// SPDX-License-Identifier: Apache-2.0
// A judge that is a bundle: its features, its model, its threshold.
#pragma once

#include <functional>
#include <memory>

#include "base/error.h"
#include "edge/config.h"
#include "edge/judge.h"
#include "inference/trial.h"
#include "model/bundle.h"

namespace millwright::edge {

// The asset's bundle, read and checked without running it; kInvalidInput where its windows are not the asset's.
Result<model::LoadedBundle> bundle_of(const AssetConfig& asset);

// Tries the bundle on a rung in a child process. On the CPU confined and within seconds: every bundle must pass that
// before another rung may try it, whether or not it is fast enough there. Above it with the latency budget, within
// build_deadline_s, with the engines kept for the next time, and thrown away once where they may be what failed. Errors
// as inference::try_bundle; kCancelled when `cancel_fd` becomes readable.
Result<inference::TrialReport> try_rung(const model::LoadedBundle& loaded, const inference::Rung& rung,
                                        const InferenceConfig& settings, int cancel_fd = -1);

// kTimedOut where the bundle has a latency budget for the profile and the trial was over it.
Status within_budget(const model::LoadedBundle& loaded, const inference::TrialReport& report,
                     const InferenceConfig& settings);

// A judge in this process, proven on the golden windows and warmed up. Try the rung first.
Result<std::unique_ptr<Judge>> make_judge(const model::LoadedBundle& loaded, const inference::Rung& rung,
                                          const InferenceConfig& settings);

// The steps above as whoever loads models takes them; a test puts its own in their place.
struct JudgeMaker {
  std::function<Result<model::LoadedBundle>(const AssetConfig&)> load;
  std::function<Result<inference::TrialReport>(const model::LoadedBundle&, const inference::Rung&, int cancel_fd)>
      try_on;
  std::function<Result<std::unique_ptr<Judge>>(const model::LoadedBundle&, const inference::Rung&)> make;
};
JudgeMaker judge_maker(const InferenceConfig& settings);

}  // namespace millwright::edge
