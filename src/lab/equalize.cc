// SPDX-License-Identifier: Apache-2.0
#include "lab/equalize.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace millwright::lab {
namespace {

using onnx::Graph;
using onnx::Node;
using onnx::Tensor;

constexpr int kMaxSweeps = 40;
constexpr float kSettled = 1e-3F;  // scales this near to 1 change nothing worth a sweep
constexpr float kMaxScale = 1e4F;  // of one sweep: a channel that is all but dead would blow up the other side

struct Pair {
  size_t first = 0;  // indices into graph.nodes
  size_t second = 0;
  size_t channels = 0;
};

// Which channel an element of a layer's weights belongs to, of those that it makes or of those that it reads.
class Channels {
 public:
  Channels(const Node& node, const Tensor& weights) {
    const auto size = [&](size_t axis) { return static_cast<size_t>(weights.dims[axis]); };
    if (node.op == "Gemm") {
      rows_ = size(0);
      columns_ = size(1);
      rows_make_ = node.int_or("transB", 0) != 0;
      return;
    }
    rows_ = size(0);
    columns_ = size(1);
    inner_ = weights.elements() / std::max<size_t>(rows_ * columns_, 1);
    groups_ = static_cast<size_t>(std::max<int64_t>(node.int_or("group", 1), 1));
  }
  [[nodiscard]] size_t made() const { return rows_make_ ? rows_ : columns_; }
  [[nodiscard]] size_t read() const { return rows_make_ ? columns_ * groups_ : rows_; }
  [[nodiscard]] size_t made_by(size_t element) const {
    return rows_make_ ? element / inner_ / columns_ : element / inner_ % columns_;
  }
  [[nodiscard]] size_t read_by(size_t element) const {
    const size_t row = element / inner_ / columns_;
    if (!rows_make_) return row;
    return row / std::max<size_t>(rows_ / groups_, 1) * columns_ + element / inner_ % columns_;
  }

 private:
  size_t rows_ = 1;
  size_t columns_ = 1;
  size_t inner_ = 1;
  size_t groups_ = 1;
  bool rows_make_ = true;
};

class Equalizer {
 public:
  explicit Equalizer(Graph& graph) : graph_(graph), wiring_(graph) {
    for (size_t i = 0; i < graph_.nodes.size(); ++i) {
      if (const auto pair = pair_from(i)) pairs_.push_back(*pair);
    }
  }

  size_t run() {
    for (int sweep = 0; sweep < kMaxSweeps; ++sweep) {
      float moved = 0.0F;
      for (const Pair& pair : pairs_) moved = std::max(moved, equalize_one(pair));
      if (moved < kSettled) break;
    }
    return pairs_.size();
  }

 private:
  [[nodiscard]] const Tensor* own(const Node& node, size_t input) const {
    if (node.inputs.size() <= input || wiring_.readers(node.inputs[input]).size() != 1) return nullptr;
    const Tensor* tensor = graph_.constant(node.inputs[input]);
    const bool is_float = tensor != nullptr && tensor->type == onnx::ElementType::kFloat && tensor->other.empty();
    return is_float && !wiring_.is_output(node.inputs[input]) ? tensor : nullptr;
  }

  [[nodiscard]] bool is_layer(const Node& node) const {
    if (!node.domain.empty() || (node.op != "Conv" && node.op != "Gemm")) return false;
    const Tensor* weights = own(node, 1);
    if (weights == nullptr || weights->elements() == 0) return false;
    return node.op == "Conv" ? weights->dims.size() >= 3 : weights->dims.size() == 2 && node.int_or("transA", 0) == 0;
  }

  // The only reader of what a node makes.
  [[nodiscard]] std::optional<size_t> only_reader(const Node& node) const {
    if (node.outputs.size() != 1 || wiring_.is_output(node.outputs[0])) return std::nullopt;
    const auto readers = wiring_.readers(node.outputs[0]);
    if (readers.size() != 1) return std::nullopt;
    return readers[0];
  }

  [[nodiscard]] std::optional<Pair> pair_from(size_t index) const {
    const Node& first = graph_.nodes[index];
    if (!is_layer(first)) return std::nullopt;
    auto next = only_reader(first);
    std::string value = first.outputs[0];
    if (next && graph_.nodes[*next].op == "Relu" && graph_.nodes[*next].domain.empty()) {
      value = graph_.nodes[*next].outputs[0];
      next = only_reader(graph_.nodes[*next]);
    }
    if (!next) return std::nullopt;
    const Node& second = graph_.nodes[*next];
    if (second.op != first.op || !is_layer(second) || second.inputs[0] != value) return std::nullopt;
    const Channels made(first, *own(first, 1));
    const Channels read(second, *own(second, 1));
    if (made.made() != read.read()) return std::nullopt;
    const bool has_bias = first.inputs.size() > 2 && !first.inputs[2].empty();
    if (has_bias) {
      const Tensor* bias = own(first, 2);
      if (bias == nullptr || bias->dims.empty() || bias->elements() != made.made()) return std::nullopt;
      if (static_cast<size_t>(bias->dims.back()) != made.made()) return std::nullopt;
    }
    return Pair{.first = index, .second = *next, .channels = made.made()};
  }

  std::span<float> constant(const std::string& name) { return graph_.constants.find(name)->second.floats(); }

  // How far the largest scale was from 1.
  float equalize_one(const Pair& pair) {
    const Node& first = graph_.nodes[pair.first];
    const Node& second = graph_.nodes[pair.second];
    const Channels made(first, graph_.constants.find(first.inputs[1])->second);
    const Channels read(second, graph_.constants.find(second.inputs[1])->second);
    const auto before = constant(first.inputs[1]);
    const auto after = constant(second.inputs[1]);
    std::vector<float> largest(pair.channels, 0.0F);
    std::vector<float> scales(pair.channels, 0.0F);
    for (size_t i = 0; i < before.size(); ++i) {
      largest[made.made_by(i)] = std::max(largest[made.made_by(i)], std::abs(before[i]));
    }
    for (size_t i = 0; i < after.size(); ++i) {
      scales[read.read_by(i)] = std::max(scales[read.read_by(i)], std::abs(after[i]));
    }
    float moved = 0.0F;
    for (size_t c = 0; c < pair.channels; ++c) {
      // A channel without weights on one side has no size to bring the other to.
      const bool is_alive = largest[c] > 0.0F && scales[c] > 0.0F;
      const float scale = is_alive ? std::sqrt(largest[c] / scales[c]) : 1.0F;
      scales[c] = std::isfinite(scale) ? std::clamp(scale, 1.0F / kMaxScale, kMaxScale) : 1.0F;
      moved = std::max(moved, std::abs(scales[c] - 1.0F));
    }
    for (size_t i = 0; i < before.size(); ++i) before[i] /= scales[made.made_by(i)];
    for (size_t i = 0; i < after.size(); ++i) after[i] *= scales[read.read_by(i)];
    if (first.inputs.size() > 2 && !first.inputs[2].empty()) {
      const auto bias = constant(first.inputs[2]);
      for (size_t c = 0; c < bias.size(); ++c) bias[c] /= scales[c];
    }
    return moved;
  }

  Graph& graph_;
  onnx::Wiring wiring_;
  std::vector<Pair> pairs_;
};

}  // namespace

size_t equalize(Graph& graph) { return Equalizer(graph).run(); }

}  // namespace millwright::lab
