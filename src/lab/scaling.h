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

// Median and 1.4826 * MAD, but no less than the spread that the tail shows: the distance that all but the farthest
// kStrayShare of the rows (and at least kStrayRows) keep to, over the same quantile of a normal distribution; no less
// than a tenth of the standard deviation either. A feature that rests on one value and takes another now and then has a
// MAD of 0: it is measured by the farthest value it took, strays included, since whatever it did in normal running is
// normal. The size of the centre, or 1, for a feature that never moved. At least one row.
inline constexpr double kStrayShare = 0.005;
inline constexpr size_t kStrayRows = 2;
Scaling learn_scaling(const Rows& rows);

// The middle of `values`; the mean of both middles for an even count. At least one value; its order is not kept.
double median(std::vector<double>& values);

}  // namespace millwright::lab
