// SPDX-License-Identifier: Apache-2.0
#include "lab/detector.h"

#include "base/check.h"
#include "lab/isolation_forest.h"
#include "lab/mahalanobis.h"
#include "lab/nearest_neighbour.h"
#include "lab/pca.h"

namespace millwright::lab {

std::string_view name(DetectorKind kind) {
  switch (kind) {
    case DetectorKind::kMahalanobis: return "mahalanobis";
    case DetectorKind::kPca: return "pca";
    case DetectorKind::kIsolationForest: return "isolation-forest";
    case DetectorKind::kNearestNeighbour: return "nearest-neighbour";
  }
  return "?";
}

std::optional<DetectorKind> detector_from(std::string_view text) {
  for (const DetectorKind kind : kDetectorKinds) {
    if (name(kind) == text) return kind;
  }
  return std::nullopt;
}

std::unique_ptr<Detector> train_detector(DetectorKind kind, const Rows& rows, uint64_t seed) {
  MW_CHECK(rows.rows() >= kMinimumRows && rows.cols() > 0, "a detector is trained from kMinimumRows rows or more");
  MW_CHECK(rows.allFinite(), "a detector is trained from finite rows");
  switch (kind) {
    case DetectorKind::kMahalanobis: return train_mahalanobis(rows);
    case DetectorKind::kPca: return train_pca(rows);
    case DetectorKind::kIsolationForest: return train_isolation_forest(rows, seed);
    case DetectorKind::kNearestNeighbour: return train_nearest_neighbour(rows, seed);
  }
  MW_CHECK(false, "an unknown detector kind");
}

}  // namespace millwright::lab
