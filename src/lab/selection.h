// SPDX-License-Identifier: Apache-2.0
// Judges detectors without a single label: by cross-validation on normal rows, and by how well each tells held-out
// normal rows from copies of them that were disturbed in ways a failing machine disturbs features.
#pragma once

#include <span>
#include <vector>

#include "lab/detector.h"
#include "lab/folds.h"

namespace millwright::lab {

struct Trial {
  DetectorKind kind = DetectorKind::kMahalanobis;
  std::vector<double> held_out;  // raw score of every row by a detector that did not see it, in row order
  double sensitivity = 0.0;      // partial AUC (false alarms up to 10 %) against the disturbed copies, mean over folds
};

// A copy of each row, disturbed: one feature, an eighth or a third of them move by 2 to 6 robust spreads, or are taken
// from another row, which breaks how features hang together while each stays within its range. `rows` are those to
// disturb, `reference` normal rows that say what a spread is.
Rows disturb(const Rows& rows, const Rows& reference, uint64_t seed);

// Cross-validates one kind. Every fold has at least kMinimumRows training rows.
Trial try_detector(DetectorKind kind, const Rows& rows, std::span<const Fold> folds, uint64_t seed);

// The most sensitive; within a hundredth of it, the first in kDetectorKinds, which is the simpler.
const Trial& choose(std::span<const Trial> trials);

}  // namespace millwright::lab
