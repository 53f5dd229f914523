// SPDX-License-Identifier: Apache-2.0
// Covariance from few rows: shrinkage keeps it invertible however many features there are.
#pragma once

#include "lab/matrix.h"

namespace millwright::lab {

struct Covariance {
  Vector mean;
  Matrix matrix;           // features x features, symmetric, positive definite unless all rows are equal
  double shrinkage = 0.0;  // 0: the sample's own covariance, 1: its mean variance on the diagonal
};

// O. Ledoit and M. Wolf, "A well-conditioned estimator for large-dimensional covariance matrices", J. Multivariate
// Analysis 88 (2004) 365-411. At least 2 rows.
Covariance ledoit_wolf(const Matrix& rows);

// The same from the most central rows only: rows are dropped, at most `kTrimmedShare` of them, that lie farther out
// than the rest can explain (concentration steps as in P. J. Rousseeuw and K. van Driessen, Technometrics 41 (1999)
// 212-223). A few strokes of running-in in a normal recording then do not widen what is called normal.
inline constexpr double kTrimmedShare = 0.1;
Covariance robust_covariance(const Matrix& rows);

// f(eigenvalue) applied to a symmetric matrix.
Matrix symmetric_function(const Matrix& matrix, double (*f)(double));

}  // namespace millwright::lab
