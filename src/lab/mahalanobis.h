// SPDX-License-Identifier: Apache-2.0
// Robust Mahalanobis distance: how far a row lies from normal, measured in the directions in which normal varies.
#pragma once

#include <memory>

#include "lab/detector.h"

namespace millwright::lab {

// Score: sqrt(d^2 / features) over robustly scaled features, about 1 for normal rows; shrinkage makes it work with
// fewer rows than features.
std::unique_ptr<Detector> train_mahalanobis(const Rows& rows);

}  // namespace millwright::lab
