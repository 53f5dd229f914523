// SPDX-License-Identifier: Apache-2.0
#include "lab/folds.h"

#include <algorithm>
#include <array>
#include <numeric>

#include "base/random.h"

namespace millwright::lab {

std::vector<Fold> blocked_folds(const WindowSet& windows, uint64_t seed) {
  constexpr size_t kBlocks = 2 * kFolds;
  std::array<size_t, kBlocks> fold_of_block{};
  std::iota(fold_of_block.begin(), fold_of_block.end(), size_t{0});
  Random random(seed);
  for (size_t i = kBlocks - 1; i > 0; --i) std::swap(fold_of_block[i], fold_of_block[random.below(i + 1)]);

  const size_t n = windows.size();
  std::vector<size_t> fold_of(n);
  for (size_t i = 0; i < n; ++i) fold_of[i] = fold_of_block[i * kBlocks / n] % kFolds;

  const size_t overlap = windows.overlap();
  std::vector<Fold> folds(kFolds);
  for (size_t f = 0; f < kFolds; ++f) {
    for (size_t i = 0; i < n; ++i) {
      const auto row = static_cast<Eigen::Index>(i);
      if (fold_of[i] == f) {
        folds[f].held_out.push_back(row);
        continue;
      }
      bool touches = false;
      for (size_t d = 1; d <= overlap; ++d) {
        const auto held = [&](size_t j) {
          return fold_of[j] == f && windows.origins[j].file == windows.origins[i].file;
        };
        touches = touches || (i >= d && held(i - d)) || (i + d < n && held(i + d));
      }
      if (!touches) folds[f].train.push_back(row);
    }
  }
  return folds;
}

}  // namespace millwright::lab
