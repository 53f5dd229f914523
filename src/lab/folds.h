// SPDX-License-Identifier: Apache-2.0
// Splits for judging a detector on windows it has not seen: by blocks in time, never window by window, since
// neighbours resemble each other more than next week's strokes will.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "lab/matrix.h"
#include "lab/windows.h"

namespace millwright::lab {

inline constexpr size_t kFolds = 5;

struct Fold {
  std::vector<Eigen::Index> train;     // rows to learn from
  std::vector<Eigen::Index> held_out;  // rows to judge; share no sample with any of `train`
};

// Each window is held out exactly once. The windows, in order, are cut into 2 x kFolds blocks, which `seed` deals out;
// windows that overlap a held-out one are left out of that fold's training.
std::vector<Fold> blocked_folds(const WindowSet& windows, uint64_t seed);

}  // namespace millwright::lab
