// SPDX-License-Identifier: Apache-2.0
// A detector learns from feature rows of normal windows and gives every later row one raw score, higher for less
// normal. It is handed on as an ONNX model, so that the workstation and the box run the same arithmetic.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/files.h"
#include "lab/matrix.h"

namespace millwright::lab {

enum class DetectorKind : uint8_t { kMahalanobis, kPca, kIsolationForest, kNearestNeighbour };
inline constexpr DetectorKind kDetectorKinds[] = {DetectorKind::kMahalanobis, DetectorKind::kPca,
                                                  DetectorKind::kNearestNeighbour, DetectorKind::kIsolationForest};

std::string_view name(DetectorKind kind);  // "isolation-forest", as on the command line
std::optional<DetectorKind> detector_from(std::string_view name);

// Fewest rows a detector is trained from: below it, medians and neighbours mean nothing.
inline constexpr Eigen::Index kMinimumRows = 8;

class Detector {
 public:
  virtual ~Detector() = default;

  [[nodiscard]] virtual DetectorKind kind() const = 0;

  // One raw score per row, finite for finite rows, in double precision: what the ONNX model must agree with.
  [[nodiscard]] virtual Vector scores(const Rows& rows) const = 0;

  // (rows, features), each >= 0: how much of the score each feature is to blame for. Comparable within a row only.
  [[nodiscard]] virtual Matrix contributions(const Rows& rows) const = 0;

  // The model: "features" (batch, features) float -> "score" (batch) and "contribution" (batch, features).
  [[nodiscard]] virtual Result<Bytes> to_onnx() const = 0;
};

// Trains from normal rows, all finite, at least kMinimumRows of them. The same rows and seed give the same detector.
std::unique_ptr<Detector> train_detector(DetectorKind kind, const Rows& rows, uint64_t seed);

}  // namespace millwright::lab
