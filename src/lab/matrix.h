// SPDX-License-Identifier: Apache-2.0
// The matrix types of the lab: one row per window, one column per feature.
#pragma once

#include <Eigen/Core>

namespace millwright::lab {

using Rows = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;  // as features come
using Matrix = Eigen::MatrixXd;                                                      // for arithmetic
using Vector = Eigen::VectorXd;

}  // namespace millwright::lab
