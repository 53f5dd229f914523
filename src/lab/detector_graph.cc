// SPDX-License-Identifier: Apache-2.0
#include "lab/detector_graph.h"

namespace millwright::lab {

std::vector<float> flat_floats(const Matrix& matrix) {
  const Rows rows = matrix.cast<float>();
  return {rows.data(), rows.data() + rows.size()};
}

DetectorGraph::DetectorGraph(std::string_view name, const Scaling& scaling)
    : features_(scaling.centre.size()), builder_(std::string(name)) {
  const std::string x = builder_.input("features", onnx::ElementType::kFloat, {"batch", features_});
  const std::string centre = builder_.constant(flat_floats(scaling.centre), {features_}, "centre");
  const std::string scale = builder_.constant(flat_floats(scaling.scale.cwiseInverse()), {features_}, "inverse_scale");
  scaled_ = builder_.node("Mul", {builder_.node("Sub", {x, centre}), scale});
  builder_.metadata("detector", std::string(name));
}

Result<Bytes> DetectorGraph::finish(const std::string& score, const std::string& contribution) {
  builder_.node("Identity", {score}, {}, "score");
  builder_.node("Identity", {contribution}, {}, "contribution");
  builder_.output("score", onnx::ElementType::kFloat, {"batch"});
  builder_.output("contribution", onnx::ElementType::kFloat, {"batch", features_});
  return builder_.finish();
}

}  // namespace millwright::lab
