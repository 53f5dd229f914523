// SPDX-License-Identifier: Apache-2.0
// Isolation forest: rows that few random cuts set apart from normal ones. F. T. Liu, K. M. Ting and Z.-H. Zhou,
// "Isolation forest", ICDM 2008.
#pragma once

#include <memory>

#include "lab/detector.h"

namespace millwright::lab {

inline constexpr int kTrees = 100;
inline constexpr Eigen::Index kTreeSample = 256;  // most rows per tree, drawn by the seed
inline constexpr int kTreeDepth = 8;              // log2(kTreeSample)

// Score: 2^(-E[path length] / L), between 0 and 1. L is the mean path of training rows through those trees that did not
// see them, where the paper has the expected c(sample): a hundred trees are few enough that the whole level of one
// forest's scores lies above another's, and a threshold of other forests' scores (the folds') would not fit it. Each
// tree leaves out a sixteenth of the rows or more, so that some are left to measure L. A typical normal row scores 0.5.
// Contributions: each tree spreads 2^(-path length / c(sample)) over the features that its path cuts, so that short
// paths weigh most.
std::unique_ptr<Detector> train_isolation_forest(const Rows& rows, uint64_t seed);

}  // namespace millwright::lab
