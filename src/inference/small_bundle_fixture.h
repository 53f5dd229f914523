// SPDX-License-Identifier: Apache-2.0
// A bundle of two features whose score is the sum of their squares, for tests.
#pragma once

#include "model/bundle.h"
#include "onnx/graph_builder.h"

namespace millwright::inference {

inline Bytes mean_square(int64_t features) {
  onnx::GraphBuilder b("squares");
  const auto x = b.input("x", onnx::ElementType::kFloat, {"batch", features});
  b.output(b.node("ReduceSumSquare", {x}, {onnx::GraphBuilder::attribute("axes", std::vector<int64_t>{1})}, "score"),
           onnx::ElementType::kFloat, {"batch", 1});
  return b.finish().value();
}

inline model::Bundle bundle_of_two_features() {
  model::Bundle bundle;
  bundle.name = "press7";
  bundle.model = mean_square(2);
  bundle.score_kind = model::ScoreKind::kOutput;
  bundle.features = signal::FeatureSpec{.name = "two",
                                        .channels = 1,
                                        .length = 64,
                                        .rate_hz = 0.0,
                                        .channel_names = {},
                                        .groups = {signal::CurveFeatures{.points = 2}}};
  bundle.golden.features = {1, 2, 3, 4};
  bundle.golden.expected = {5, 25};
  return bundle;
}

}  // namespace millwright::inference
