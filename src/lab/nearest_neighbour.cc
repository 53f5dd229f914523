// SPDX-License-Identifier: Apache-2.0
#include "lab/nearest_neighbour.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "base/random.h"
#include "lab/detector_graph.h"

namespace millwright::lab {
namespace {

using onnx::GraphBuilder;

struct Neighbours {
  std::vector<Eigen::Index> index;  // nearest first
  double mean_distance = 0.0;
};

class NearestNeighbour final : public Detector {
 public:
  NearestNeighbour(Scaling scaling, Matrix prototypes)
      : scaling_(std::move(scaling)), prototypes_(std::move(prototypes)) {}

  [[nodiscard]] DetectorKind kind() const override { return DetectorKind::kNearestNeighbour; }
  [[nodiscard]] Vector scores(const Rows& rows) const override;
  [[nodiscard]] Matrix contributions(const Rows& rows) const override;
  [[nodiscard]] Result<Bytes> to_onnx() const override;

 private:
  [[nodiscard]] Neighbours find(const Eigen::RowVectorXd& z) const;
  [[nodiscard]] double unit() const { return 1.0 / std::sqrt(static_cast<double>(prototypes_.cols())); }

  Scaling scaling_;
  Matrix prototypes_;  // scaled
};

Neighbours NearestNeighbour::find(const Eigen::RowVectorXd& z) const {
  const Vector squared = (prototypes_.rowwise() - z).rowwise().squaredNorm();
  Neighbours found;
  found.index.resize(static_cast<size_t>(prototypes_.rows()));
  std::iota(found.index.begin(), found.index.end(), 0);
  std::partial_sort(found.index.begin(), found.index.begin() + kNeighbours, found.index.end(),
                    [&](Eigen::Index a, Eigen::Index b) { return squared[a] < squared[b]; });
  found.index.resize(static_cast<size_t>(kNeighbours));
  for (const Eigen::Index i : found.index) found.mean_distance += std::sqrt(squared[i]);
  found.mean_distance /= static_cast<double>(kNeighbours);
  return found;
}

Vector NearestNeighbour::scores(const Rows& rows) const {
  const Matrix z = scaling_.apply(rows);
  Vector result(z.rows());
  for (Eigen::Index i = 0; i < z.rows(); ++i) result[i] = find(z.row(i)).mean_distance * unit();
  return result;
}

Matrix NearestNeighbour::contributions(const Rows& rows) const {
  const Matrix z = scaling_.apply(rows);
  Matrix result(z.rows(), z.cols());
  for (Eigen::Index i = 0; i < z.rows(); ++i) {
    result.row(i) = (z.row(i) - prototypes_.row(find(z.row(i)).index.front())).array().square();
  }
  return result;
}

Result<Bytes> NearestNeighbour::to_onnx() const {
  DetectorGraph graph(name(kind()), scaling_);
  GraphBuilder& g = graph.builder();
  const int64_t count = prototypes_.rows();
  const int64_t features = prototypes_.cols();
  const std::string axis = g.constant(std::vector<int64_t>{1}, {1}, "axis");
  const std::string prototypes = g.constant(flat_floats(prototypes_), {count, features}, "prototypes");
  const std::string transposed = g.constant(flat_floats(prototypes_.transpose() * -2.0), {features, count}, "minus_2p");
  const std::string lengths = g.constant(flat_floats(prototypes_.rowwise().squaredNorm()), {count}, "lengths");

  // |z - p|^2 = |z|^2 - 2 z p + |p|^2: one matrix product; what rounding makes negative is 0.
  const std::string z = graph.scaled();
  const std::string own =
      g.node("ReduceSum", {g.node("Mul", {z, z}), axis}, {GraphBuilder::attribute("keepdims", int64_t{1})});
  const std::string product = g.node("Add", {g.node("MatMul", {z, transposed}), lengths});
  const std::string squared = g.node("Max", {g.node("Add", {product, own}), g.scalar(0.0F)});
  const std::string k = g.constant(std::vector<int64_t>{kNeighbours}, {1}, "k");
  const std::vector<std::string> nearest =
      g.node_n("TopK", {squared, k}, 2,
               {GraphBuilder::attribute("axis", int64_t{1}), GraphBuilder::attribute("largest", int64_t{0}),
                GraphBuilder::attribute("sorted", int64_t{1})});
  const std::string weights =
      g.constant(std::vector<float>(static_cast<size_t>(kNeighbours),
                                    static_cast<float>(unit() / static_cast<double>(kNeighbours))),
                 {kNeighbours}, "weights");
  const std::string distances = g.node("Sqrt", {nearest[0]});
  const std::string score = g.node("ReduceSum", {g.node("Mul", {distances, weights}), axis},
                                   {GraphBuilder::attribute("keepdims", int64_t{0})});

  const std::string first = g.constant(std::vector<int64_t>{0}, {}, "first");
  const std::string closest = g.node("Gather", {nearest[1], first}, {GraphBuilder::attribute("axis", int64_t{1})});
  const std::string prototype = g.node("Gather", {prototypes, closest}, {GraphBuilder::attribute("axis", int64_t{0})});
  const std::string difference = g.node("Sub", {z, prototype});
  return graph.finish(score, g.node("Mul", {difference, difference}));
}

// `count` different rows, in their order.
std::vector<Eigen::Index> draw(Eigen::Index rows, Eigen::Index count, uint64_t seed) {
  std::vector<Eigen::Index> index(static_cast<size_t>(rows));
  std::iota(index.begin(), index.end(), 0);
  if (rows <= count) return index;
  Random random(seed);
  for (size_t i = 0; i < static_cast<size_t>(count); ++i) {
    std::swap(index[i], index[i + random.below(index.size() - i)]);
  }
  index.resize(static_cast<size_t>(count));
  std::ranges::sort(index);
  return index;
}

}  // namespace

std::unique_ptr<Detector> train_nearest_neighbour(const Rows& rows, uint64_t seed) {
  Scaling scaling = learn_scaling(rows);
  const std::vector<Eigen::Index> chosen = draw(rows.rows(), kMaxPrototypes, seed);
  Matrix prototypes = scaling.apply(rows(chosen, Eigen::all));
  return std::make_unique<NearestNeighbour>(std::move(scaling), std::move(prototypes));
}

}  // namespace millwright::lab
