// SPDX-License-Identifier: Apache-2.0
// Centres and scales features so that a stray window in the training data cannot set the scale.
#pragma once

#include <vector>

#include "lab/matrix.h"

namespace millwright::lab {

// z = (x - centre) / scale, per feature; every scale is above 0.
struct Scaling {
  Vector centre;
  Vector scale;

  // (rows, features) -> (rows, features) in double precision.
  [[nodiscard]] Matrix apply(const Rows& rows) const;
};

// Median and 1.4826 * MAD, with a floor of a tenth of the standard deviation for features that mostly rest on one
// value, and 1 for a feature that never moved (then any movement is measured against the size of its value). At least
// one row.
Scaling learn_scaling(const Rows& rows);

// The middle of `values`; the mean of both middles for an even count. At least one value; its order is not kept.
double median(std::vector<double>& values);

}  // namespace millwright::lab
