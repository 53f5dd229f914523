// SPDX-License-Identifier: Apache-2.0
// Isolation forest: rows that few random cuts set apart from normal ones. F. T. Liu, K. M. Ting and Z.-H. Zhou,
// "Isolation forest", ICDM 2008.
#pragma once

#include <memory>

#include "lab/detector.h"

namespace millwright::lab {

inline constexpr int kTrees = 100;
inline constexpr Eigen::Index kTreeSample = 256;  // rows per tree, drawn by the seed
inline constexpr int kTreeDepth = 8;              // log2(kTreeSample)

// Score: 2^(-E[path length] / c(sample)), between 0 and 1. Contributions: each tree spreads 2^(-path length / c) over
// the features that its path cuts, so that short paths weigh most.
std::unique_ptr<Detector> train_isolation_forest(const Rows& rows, uint64_t seed);

}  // namespace millwright::lab
