// SPDX-License-Identifier: Apache-2.0
// The chi-squared distribution: how large a sum of squared standard normal deviations gets.
#pragma once

namespace millwright::lab {

// The x with P(X <= x) = `share` for chi-squared with `freedom` degrees; share in (0, 1), freedom 1 or more. Relative
// error below 1e-9.
double chi_squared_quantile(double share, int freedom);

}  // namespace millwright::lab
