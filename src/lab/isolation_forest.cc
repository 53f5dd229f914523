// SPDX-License-Identifier: Apache-2.0
#include "lab/isolation_forest.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <numeric>
#include <vector>

#include "base/random.h"
#include "lab/detector_graph.h"

namespace millwright::lab {
namespace {

using onnx::GraphBuilder;

constexpr size_t kInner = (size_t{1} << kTreeDepth) - 1;  // inner nodes of a complete tree
constexpr size_t kLeaves = size_t{1} << kTreeDepth;
constexpr Eigen::Index kLeftOut = 16;  // one row in so many, at least, is kept from each tree
constexpr double kLeastPath = 0.5;     // of a forest whose rows are all alike, and whose trees have no cut

// All trees as complete binary trees in breadth-first order: children of node i are 2i + 1 and 2i + 2. Where a tree
// ends early, its nodes below go left always (`cuts` 0), down to the leaf that holds the result.
struct Forest {
  std::vector<int64_t> feature;  // kTrees x kInner
  std::vector<float> threshold;  // kTrees x kInner; right where x > threshold
  std::vector<float> cuts;       // kTrees x kInner; 1: a true cut, 0: padding
  std::vector<float> path;       // kTrees x kLeaves, path lengths
  std::vector<float> share;      // kTrees x kLeaves, 2^(-path / c) / number of cuts
};

// Mean path length of an unsuccessful search in a binary tree of n rows: equation 1 of the paper.
double expected_path(double n) {
  if (n <= 1.0) return 0.0;
  if (n <= 2.0) return 1.0;
  return 2.0 * (std::log(n - 1.0) + std::numbers::egamma) - 2.0 * (n - 1.0) / n;
}

class TreeGrower {
 public:
  TreeGrower(const Rows& rows, Forest& forest, double normal_path, uint64_t seed)
      : rows_(rows), forest_(forest), normal_path_(normal_path), random_(seed) {}

  // Returns the rows that the tree did not see.
  std::vector<Eigen::Index> grow(size_t tree, Eigen::Index sample) {
    std::vector<Eigen::Index> index(static_cast<size_t>(rows_.rows()));
    std::iota(index.begin(), index.end(), 0);
    for (size_t i = 0; i < static_cast<size_t>(sample); ++i) {
      std::swap(index[i], index[i + random_.below(index.size() - i)]);
    }
    split(tree, 0, 0, std::span(index).first(static_cast<size_t>(sample)));
    return {index.begin() + sample, index.end()};
  }

 private:
  void split(size_t tree, size_t node, int depth, std::span<Eigen::Index> index) {
    const Eigen::Index feature = depth < kTreeDepth && index.size() > 1 ? pick_feature(index) : -1;
    if (feature < 0) return end(tree, node, depth, index.size());
    const auto [low, high] = range(feature, index);
    const auto cut = static_cast<float>(random_.uniform(low, high));
    const auto right =
        std::partition(index.begin(), index.end(), [&](Eigen::Index i) { return rows_(i, feature) <= cut; });
    const auto count = static_cast<size_t>(right - index.begin());
    forest_.feature[tree * kInner + node] = feature;
    forest_.threshold[tree * kInner + node] = cut;
    forest_.cuts[tree * kInner + node] = 1.0F;
    split(tree, 2 * node + 1, depth + 1, index.first(count));
    split(tree, 2 * node + 2, depth + 1, index.subspan(count));
  }

  void end(size_t tree, size_t node, int depth, size_t rows) {
    size_t leaf = node;
    for (int level = depth; level < kTreeDepth; ++level) leaf = 2 * leaf + 1;
    const double path = depth + expected_path(static_cast<double>(rows));
    const size_t at = tree * kLeaves + (leaf - kInner);
    forest_.path[at] = static_cast<float>(path);
    forest_.share[at] = static_cast<float>(std::exp2(-path / normal_path_) / std::max(depth, 1));
  }

  std::pair<double, double> range(Eigen::Index feature, std::span<const Eigen::Index> index) const {
    float low = rows_(index.front(), feature);
    float high = low;
    for (const Eigen::Index i : index) {
      low = std::min(low, rows_(i, feature));
      high = std::max(high, rows_(i, feature));
    }
    return {low, high};
  }

  // A feature drawn among those that differ in these rows; -1 where none does.
  Eigen::Index pick_feature(std::span<const Eigen::Index> index) {
    const auto features = static_cast<uint64_t>(rows_.cols());
    for (int attempt = 0; attempt < 8; ++attempt) {
      const auto f = static_cast<Eigen::Index>(random_.below(features));
      const auto [low, high] = range(f, index);
      if (low < high) return f;
    }
    const auto start = random_.below(features);
    for (uint64_t k = 0; k < features; ++k) {
      const auto f = static_cast<Eigen::Index>((start + k) % features);
      const auto [low, high] = range(f, index);
      if (low < high) return f;
    }
    return -1;
  }

  const Rows& rows_;
  Forest& forest_;
  double normal_path_;
  Random random_;
};

// Calls visit(inner node) down the path of `row` in `tree`; returns the leaf. Indices into the forest's arrays.
template <typename Visit>
size_t walk(const Forest& forest, size_t tree, const Rows& rows, Eigen::Index row, Visit visit) {
  size_t node = 0;
  for (int level = 0; level < kTreeDepth; ++level) {
    const size_t at = tree * kInner + node;
    visit(at);
    node = 2 * node + (rows(row, forest.feature[at]) > forest.threshold[at] ? 2 : 1);
  }
  return tree * kLeaves + (node - kInner);
}

class IsolationForest final : public Detector {
 public:
  IsolationForest(Forest forest, Eigen::Index features, double normal_path)
      : forest_(std::move(forest)), features_(features), normal_path_(normal_path) {}

  [[nodiscard]] DetectorKind kind() const override { return DetectorKind::kIsolationForest; }
  [[nodiscard]] Vector scores(const Rows& rows) const override;
  [[nodiscard]] Matrix contributions(const Rows& rows) const override;
  [[nodiscard]] Result<Bytes> to_onnx() const override;

 private:
  Forest forest_;
  Eigen::Index features_;
  double normal_path_;
};

Vector IsolationForest::scores(const Rows& rows) const {
  Vector result(rows.rows());
  for (Eigen::Index i = 0; i < rows.rows(); ++i) {
    double path = 0.0;
    for (size_t tree = 0; tree < kTrees; ++tree) path += forest_.path[walk(forest_, tree, rows, i, [](size_t) {})];
    result[i] = std::exp2(-path / kTrees / normal_path_);
  }
  return result;
}

Matrix IsolationForest::contributions(const Rows& rows) const {
  Matrix result = Matrix::Zero(rows.rows(), features_);
  std::vector<size_t> visited;
  for (Eigen::Index i = 0; i < rows.rows(); ++i) {
    for (size_t tree = 0; tree < kTrees; ++tree) {
      visited.clear();
      const size_t leaf = walk(forest_, tree, rows, i, [&](size_t at) { visited.push_back(at); });
      for (const size_t at : visited) result(i, forest_.feature[at]) += forest_.cuts[at] * forest_.share[leaf];
    }
  }
  return result;
}

// The nodes of the graph that walks all trees at once, level by level.
class ForestGraph {
 public:
  ForestGraph(GraphBuilder& builder, const Forest& forest, int64_t features)
      : g_(builder), forest_(forest), features_(features) {}

  // Adds the walk; afterwards leaf() stands for each tree's leaf, (batch, trees).
  void walk();
  [[nodiscard]] std::string leaf() const { return leaf_; }
  // A value per leaf, looked up: (batch, trees).
  std::string at_leaf(std::span<const float> values, std::string called);
  // `share` (batch, trees) spread over the features that each path cut: (batch, features).
  std::string spread(const std::string& share);

 private:
  std::string per_tree(size_t step, int64_t offset, std::string called);
  std::string filled(const std::string& value, int64_t columns);
  [[nodiscard]] static std::vector<int64_t> one(int64_t value) { return {value}; }
  [[nodiscard]] static GraphBuilder::Attribute axis(int64_t value) { return GraphBuilder::attribute("axis", value); }

  GraphBuilder& g_;
  const Forest& forest_;
  int64_t features_;
  std::string leaf_;
  std::vector<std::string> path_features_;  // per level, (batch, trees)
  std::vector<std::string> path_cuts_;
};

// Where each tree's part of a flat array begins, (1, trees).
std::string ForestGraph::per_tree(size_t step, int64_t offset, std::string called) {
  std::vector<int64_t> start(kTrees);
  for (size_t t = 0; t < kTrees; ++t) start[t] = static_cast<int64_t>(t * step) + offset;
  return g_.constant(start, {1, kTrees}, std::move(called));
}

// (batch, columns) of one value: the size of the batch is known only at run time.
std::string ForestGraph::filled(const std::string& value, int64_t columns) {
  const std::string batch =
      g_.node("Shape", {"features"},
              {GraphBuilder::attribute("start", int64_t{0}), GraphBuilder::attribute("end", int64_t{1})});
  return g_.node("Expand", {value, g_.node("Concat", {batch, g_.constant(one(columns), {1})}, {axis(0)})});
}

void ForestGraph::walk() {
  const auto count = static_cast<int64_t>(forest_.feature.size());
  const std::string feature = g_.constant(forest_.feature, {count}, "tree_feature");
  const std::string threshold = g_.constant(forest_.threshold, {count}, "tree_threshold");
  const std::string cuts = g_.constant(forest_.cuts, {count}, "tree_cuts");
  const std::string start = per_tree(kInner, 0, "inner_start");
  const std::string left = g_.constant(one(1), {}, "left");
  const std::string two = g_.constant(one(2), {}, "two");
  std::string node = filled(g_.constant(one(0), {1}), kTrees);
  for (int level = 0; level < kTreeDepth; ++level) {
    const std::string at = g_.node("Add", {node, start});
    const std::string f = g_.node("Gather", {feature, at});
    const std::string x = g_.node("GatherElements", {"features", f}, {axis(1)});
    const std::string right = g_.node("Greater", {x, g_.node("Gather", {threshold, at})});
    constexpr int64_t kOnnxInt64 = 7;
    const std::string step = g_.node("Cast", {right}, {GraphBuilder::attribute("to", kOnnxInt64)});
    node = g_.node("Add", {g_.node("Add", {g_.node("Mul", {node, two}), left}), step});
    path_features_.push_back(f);
    path_cuts_.push_back(g_.node("Gather", {cuts, at}));
  }
  leaf_ = g_.node("Add", {node, per_tree(kLeaves, -static_cast<int64_t>(kInner), "leaf_start")});
}

std::string ForestGraph::at_leaf(std::span<const float> values, std::string called) {
  return g_.node("Gather", {g_.constant(values, {static_cast<int64_t>(values.size())}, std::move(called)), leaf_});
}

std::string ForestGraph::spread(const std::string& share) {
  std::vector<std::string> weights;
  weights.reserve(path_cuts_.size());
  for (const std::string& cut : path_cuts_) weights.push_back(g_.node("Mul", {cut, share}));
  const std::string zeros = filled(g_.constant(std::vector<float>{0.0F}, {1}), features_);
  return g_.node("ScatterElements",
                 {zeros, g_.node("Concat", path_features_, {axis(1)}), g_.node("Concat", weights, {axis(1)})},
                 {axis(1), GraphBuilder::attribute("reduction", std::string("add"))});
}

Result<Bytes> IsolationForest::to_onnx() const {
  DetectorGraph graph(name(kind()), {Vector::Zero(features_), Vector::Ones(features_)});
  GraphBuilder& g = graph.builder();
  ForestGraph trees(g, forest_, features_);
  trees.walk();
  const std::string mean = g.node(
      "ReduceMean", {trees.at_leaf(forest_.path, "leaf_path")},
      {GraphBuilder::attribute("axes", std::vector<int64_t>{1}), GraphBuilder::attribute("keepdims", int64_t{0})});
  const auto rate = static_cast<float>(-std::numbers::ln2 / normal_path_);
  const std::string score = g.node("Exp", {g.node("Mul", {mean, g.scalar(rate)})});
  return graph.finish(score, trees.spread(trees.at_leaf(forest_.share, "leaf_share")));
}

}  // namespace

std::unique_ptr<Detector> train_isolation_forest(const Rows& rows, uint64_t seed) {
  Forest forest;
  forest.feature.assign(kTrees * kInner, 0);
  forest.threshold.assign(kTrees * kInner, std::numeric_limits<float>::max());
  forest.cuts.assign(kTrees * kInner, 0.0F);
  forest.path.assign(kTrees * kLeaves, 0.0F);
  forest.share.assign(kTrees * kLeaves, 0.0F);
  const Eigen::Index sample = std::min(rows.rows() - std::max(rows.rows() / kLeftOut, Eigen::Index{1}), kTreeSample);
  TreeGrower grower(rows, forest, expected_path(static_cast<double>(sample)), seed);
  double paths = 0.0;
  size_t count = 0;
  for (size_t tree = 0; tree < kTrees; ++tree) {
    for (const Eigen::Index unseen : grower.grow(tree, sample)) {
      paths += forest.path[walk(forest, tree, rows, unseen, [](size_t) {})];
      ++count;
    }
  }
  const double normal_path = std::max(paths / static_cast<double>(count), kLeastPath);
  return std::make_unique<IsolationForest>(std::move(forest), rows.cols(), normal_path);
}

}  // namespace millwright::lab
