// SPDX-License-Identifier: Apache-2.0
// The shape that Mahalanobis and PCA share: score = sqrt(z' R' R z) with z = (x - centre) / scale and a symmetric root
// R. Because R is symmetric, (R z)_j^2 is a non-negative share of feature j, and the shares sum to the squared score:
// P. H. Garthwaite and I. Koch, "Evaluating the contributions of individual variables to a quadratic form",
// Aust. N. Z. J. Stat. 58 (2016) 99-119.
#pragma once

#include "lab/detector.h"
#include "lab/scaling.h"

namespace millwright::lab {

class QuadraticForm final : public Detector {
 public:
  // `root` is features x features, symmetric.
  QuadraticForm(DetectorKind kind, Scaling scaling, Matrix root)
      : kind_(kind), scaling_(std::move(scaling)), root_(std::move(root)) {}

  [[nodiscard]] DetectorKind kind() const override { return kind_; }
  [[nodiscard]] Vector scores(const Rows& rows) const override;
  [[nodiscard]] Matrix contributions(const Rows& rows) const override;
  [[nodiscard]] Result<Bytes> to_onnx() const override;

 private:
  DetectorKind kind_;
  Scaling scaling_;
  Matrix root_;
};

}  // namespace millwright::lab
