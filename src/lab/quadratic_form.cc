// SPDX-License-Identifier: Apache-2.0
#include "lab/quadratic_form.h"

#include "lab/detector_graph.h"

namespace millwright::lab {

Vector QuadraticForm::scores(const Rows& rows) const { return (scaling_.apply(rows) * root_).rowwise().norm(); }

Matrix QuadraticForm::contributions(const Rows& rows) const { return (scaling_.apply(rows) * root_).array().square(); }

Result<Bytes> QuadraticForm::to_onnx() const {
  DetectorGraph graph(name(kind_), scaling_);
  onnx::GraphBuilder& g = graph.builder();
  const int64_t features = root_.rows();
  const std::string root = g.constant(flat_floats(root_), {features, features}, "root");
  const std::string y = g.node("MatMul", {graph.scaled(), root});
  const std::string squares = g.node("Mul", {y, y});
  const std::string axis = g.constant(std::vector<int64_t>{1}, {1});
  const std::string sum = g.node("ReduceSum", {squares, axis}, {onnx::GraphBuilder::attribute("keepdims", int64_t{0})});
  return graph.finish(g.node("Sqrt", {sum}), squares);
}

}  // namespace millwright::lab
