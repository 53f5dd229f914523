// SPDX-License-Identifier: Apache-2.0
// Principal components: Hotelling's T2 inside the plane that normal running spans, Q (squared prediction error) off it.
#pragma once

#include <memory>

#include "lab/detector.h"

namespace millwright::lab {

// Share of the variance that the kept components explain.
inline constexpr double kExplainedVariance = 0.95;

// Score: sqrt(T2 / T2_99 + Q / Q_99), the combined index of H. H. Yue and S. J. Qin, Ind. Eng. Chem. Res. 40 (2001)
// 4403-4414, with the 99 % quantiles of the training rows as limits.
std::unique_ptr<Detector> train_pca(const Rows& rows);

}  // namespace millwright::lab
