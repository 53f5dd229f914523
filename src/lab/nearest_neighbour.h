// SPDX-License-Identifier: Apache-2.0
// Nearest neighbours: a row is normal where normal rows lie close by, whatever the shape of the cloud they form. For
// machines with several ways of running normally.
#pragma once

#include <memory>

#include "lab/detector.h"

namespace millwright::lab {

inline constexpr Eigen::Index kMaxPrototypes = 1024;  // bounds the model's size and its time on the box
inline constexpr Eigen::Index kNeighbours = 5;

// Score: mean distance to the kNeighbours nearest prototypes, over sqrt(features); prototypes are the training rows,
// or kMaxPrototypes of them drawn by the seed.
std::unique_ptr<Detector> train_nearest_neighbour(const Rows& rows, uint64_t seed);

}  // namespace millwright::lab
