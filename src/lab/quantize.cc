// SPDX-License-Identifier: Apache-2.0
#include "lab/quantize.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "lab/equalize.h"
#include "lab/quantised_already.h"
#include "lab/raised.h"

namespace millwright::lab {
namespace {

using onnx::Graph;
using onnx::Node;
using onnx::Tensor;

constexpr float kWeightSteps = 127.0F;
constexpr float kActivationSteps = 255.0F;
// x86 processors without VNNI add two products of an activation (up to 255) and a weight in 16 bits, and clip what does
// not fit. Where the two largest weights of a channel have together no more steps than this, no pair can be clipped,
// in whatever order the kernel takes them: 255 x 128 < 2^15.
constexpr float kPairSteps = 128.0F;
// Bias is told in 32 bits with the product of both scales as its own; half of that leaves room for the sums.
constexpr double kMaxBias = 1 << 30;

// Rows of a weight tensor that share one scale: element i belongs to channel (i / inner) % channels.
struct ChannelLayout {
  int64_t axis = 0;
  size_t channels = 1;
  size_t inner = 1;
};

ChannelLayout layout_of(const Node& node, const Tensor& weights) {
  ChannelLayout layout;
  const bool first = node.op == "Conv" || (node.op == "Gemm" && node.int_or("transB", 0) != 0);
  layout.axis = first ? 0 : static_cast<int64_t>(weights.dims.size()) - 1;
  layout.channels = static_cast<size_t>(weights.dims[static_cast<size_t>(layout.axis)]);
  layout.inner = first ? weights.elements() / std::max<size_t>(layout.channels, 1) : 1;
  return layout;
}

class QdqWriter {
 public:
  QdqWriter(Graph& graph, const QuantPlan& plan, const Ranges& ranges, const QdqForm& form)
      : graph_(graph), plan_(plan), is_symmetric_(form.symmetric_activations), full_weights_(form.full_weights) {
    for (const std::string& value : plan.activations) {
      scales_.emplace(value, activation_scale(ranges.find(leader(plan, value))->second, is_symmetric_));
    }
  }

  void run() {
    // Weights first: they need the scale of what the node reads under the name that it has now.
    for (const size_t index : plan_.weighted) write_weights(graph_.nodes[index]);
    for (const size_t index : plan_.others) write_constants(graph_.nodes[index]);
    for (const std::string& value : plan_.activations) write_pair(value);
    graph_.nodes.insert(graph_.nodes.end(), std::make_move_iterator(added_.begin()),
                        std::make_move_iterator(added_.end()));
  }

 private:
  Tensor zero_points(int value, std::vector<int64_t> dims, bool is_signed) {
    const size_t count = dims.empty() ? 1 : static_cast<size_t>(dims[0]);
    if (is_signed) return onnx::tensor(std::vector<int8_t>(count, static_cast<int8_t>(value)), std::move(dims));
    return onnx::tensor(std::vector<uint8_t>(count, static_cast<uint8_t>(value)), std::move(dims));
  }

  std::string add_constant(const std::string& stem, Tensor tensor) {
    std::string name = graph_.fresh_name(stem);
    graph_.constants.emplace(name, std::move(tensor));
    return name;
  }

  // Without a name: their constants' names say whose they are, and a small model is a small file.
  std::string add_node(const std::string& op, std::vector<std::string> inputs, std::string output,
                       std::optional<int64_t> axis = std::nullopt) {
    Node node;
    node.op = op;
    node.inputs = std::move(inputs);
    node.outputs = {std::move(output)};
    if (axis) {
      onnx::Attribute attribute;
      attribute.name = "axis";
      attribute.i = *axis;
      node.attributes.push_back(attribute);
    }
    added_.push_back(std::move(node));
    return added_.back().outputs[0];
  }

  void write_weights(Node& node) {
    const Tensor& weights = *graph_.constant(node.inputs[1]);
    const ChannelLayout layout = layout_of(node, weights);
    const Tensor* bias = node.inputs.size() > 2 && !node.inputs[2].empty() ? graph_.constant(node.inputs[2]) : nullptr;
    const float input_scale = scales_.find(node.inputs[0])->second.scale;
    const std::vector<float> scales = weight_scales(weights, layout, bias, input_scale);
    std::vector<int8_t> told(weights.elements());
    const auto values = weights.floats();
    for (size_t i = 0; i < told.size(); ++i) {
      const float step = scales[(i / layout.inner) % layout.channels];
      told[i] = static_cast<int8_t>(std::clamp(std::nearbyint(values[i] / step), -kWeightSteps, kWeightSteps));
    }
    const auto channels = static_cast<int64_t>(layout.channels);
    const std::string name = node.inputs[1];
    const std::vector<std::string> parts = {add_constant(name + "_q", onnx::tensor(told, weights.dims)),
                                            add_constant(name + "_s", onnx::tensor(scales, {channels})),
                                            add_constant(name + "_z", zero_points(0, {channels}, true))};
    if (bias != nullptr) node.inputs[2] = write_bias(node.inputs[2], *bias, scales, input_scale);
    node.inputs[1] = add_node("DequantizeLinear", parts, graph_.fresh_name(name + "_dq"), layout.axis);
  }

  // Symmetric, one a channel; so large at least that no pair is clipped and the channel's bias has room.
  [[nodiscard]] std::vector<float> weight_scales(const Tensor& weights, const ChannelLayout& layout, const Tensor* bias,
                                                 float input_scale) const {
    std::vector<float> largest(layout.channels, 0.0F);
    std::vector<float> second(layout.channels, 0.0F);
    const auto values = weights.floats();
    for (size_t i = 0; i < values.size(); ++i) {
      const size_t channel = (i / layout.inner) % layout.channels;
      const float size = std::abs(values[i]);
      second[channel] = std::max(second[channel], std::min(size, largest[channel]));
      largest[channel] = std::max(largest[channel], size);
    }
    for (size_t c = 0; c < largest.size(); ++c) {
      float scale = largest[c] / kWeightSteps;
      if (!full_weights_) scale = std::max(scale, (largest[c] + second[c]) / (kPairSteps - 1.0F));
      if (bias != nullptr) {
        const double needed = std::abs(static_cast<double>(bias->floats()[c])) / (kMaxBias * input_scale);
        scale = std::max(scale, static_cast<float>(needed));
      }
      largest[c] = scale > 0.0F ? scale : 1.0F;
    }
    return largest;
  }

  // Exactly the product of both scales: with any other the runtime keeps the float kernel, and says nothing.
  std::string write_bias(const std::string& name, const Tensor& bias, std::span<const float> weight_scale,
                         float input_scale) {
    std::vector<float> scales(weight_scale.size());
    std::vector<int32_t> told(weight_scale.size());
    for (size_t c = 0; c < scales.size(); ++c) {
      scales[c] = input_scale * weight_scale[c];
      told[c] = static_cast<int32_t>(
          std::clamp(std::nearbyint(static_cast<double>(bias.floats()[c]) / scales[c]), -kMaxBias, kMaxBias));
    }
    const auto channels = static_cast<int64_t>(scales.size());
    const std::vector<std::string> parts = {add_constant(name + "_q", onnx::tensor(told, {channels})),
                                            add_constant(name + "_s", onnx::tensor(scales, {channels}))};
    return add_node("DequantizeLinear", parts, graph_.fresh_name(name + "_dq"), 0);
  }

  std::vector<std::string> scale_and_zero(const std::string& name, const ActivationScale& scale) {
    return {add_constant(name + "_s", onnx::tensor(std::span(&scale.scale, 1), {})),
            add_constant(name + "_z", zero_points(scale.zero_point, {}, is_symmetric_))};
  }

  // The other operand of an Add or Mul, where it is constant.
  void write_constants(Node& node) {
    if (node.op != "Add" && node.op != "Mul" && node.op != "Concat") return;
    for (std::string& input : node.inputs) {
      const Tensor* constant = graph_.constant(input);
      if (constant == nullptr) continue;
      const auto [low, high] = std::ranges::minmax(constant->floats());
      const ActivationScale scale =
          activation_scale({.low = std::min(low, 0.0F), .high = std::max(high, 0.0F)}, is_symmetric_);
      const auto [least, most] = is_symmetric_ ? std::pair(-128.0F, 127.0F) : std::pair(0.0F, kActivationSteps);
      std::vector<uint8_t> told;
      for (const float value : constant->floats()) {
        const float step = std::nearbyint(value / scale.scale) + static_cast<float>(scale.zero_point);
        told.push_back(static_cast<uint8_t>(static_cast<int>(std::clamp(step, least, most))));
      }
      Tensor tensor = onnx::tensor(told, constant->dims);
      if (is_symmetric_) tensor.type = onnx::ElementType::kInt8;
      std::vector<std::string> parts = {add_constant(input + "_q", std::move(tensor))};
      for (std::string& part : scale_and_zero(input, scale)) parts.push_back(std::move(part));
      input = add_node("DequantizeLinear", parts, graph_.fresh_name(input + "_dq"));
    }
  }

  // What made the value makes another one now, and the value comes out of the pair: readers and outputs of the graph
  // stay as they are. An input of the graph keeps its name, and its readers change.
  void write_pair(const std::string& value) {
    const std::vector<std::string> scale = scale_and_zero(value, scales_.find(value)->second);
    const auto is_input = std::ranges::any_of(graph_.inputs, [&](const auto& input) { return input.name == value; });
    const std::string from = is_input ? value : graph_.fresh_name(value + "_float");
    const std::string to = is_input ? graph_.fresh_name(value + "_dq") : value;
    for (Node& node : graph_.nodes) {
      if (is_input) {
        std::ranges::replace(node.inputs, value, to);
      } else {
        std::ranges::replace(node.outputs, value, from);
      }
    }
    const std::string told = add_node("QuantizeLinear", {from, scale[0], scale[1]}, graph_.fresh_name(value + "_q"));
    add_node("DequantizeLinear", {told, scale[0], scale[1]}, to);
  }

  Graph& graph_;
  const QuantPlan& plan_;
  bool is_symmetric_;
  bool full_weights_;
  std::map<std::string, ActivationScale, std::less<>> scales_;
  std::vector<Node> added_;
};

// So that each layer can be named by whoever wants it in float.
void name_nodes(Graph& graph) {
  for (Node& node : graph.nodes) {
    if (node.name.empty()) node.name = graph.fresh_name(node.op);
  }
}

}  // namespace

ActivationScale activation_scale(const Range& range, bool is_symmetric) {
  if (is_symmetric) {
    const float largest = std::max(std::abs(range.low), std::abs(range.high));
    return {.scale = largest > 0.0F ? largest / kWeightSteps : 1.0F, .zero_point = 0};
  }
  float scale = (range.high - range.low) / kActivationSteps;
  // A value that never was anything but 0: with a larger range it would say more than a Clip to 6 lets through, and the
  // runtime keep that and the float kernel before it.
  if (!(scale > 0.0F)) return {.scale = 1.0F / kActivationSteps, .zero_point = 0};
  const int zero = static_cast<int>(std::clamp(std::nearbyint(-range.low / scale), 0.0F, kActivationSteps));
  // Rounded up, the largest step would lie beyond the range by a rounding, and the runtime keep a Clip that ends there,
  // with the float kernel before it.
  if (zero == 0 && scale * kActivationSteps > range.high) scale = std::nextafter(scale, 0.0F);
  return {.scale = scale, .zero_point = zero};
}

Result<Int8Quantizer> Int8Quantizer::create(std::span<const std::byte> model, recording::Dataset& samples,
                                            const CalibrationOptions& options, const Int8Start& start) {
  Graph raw = MW_TRY(Graph::parse(model));
  if (const Node* quantised = quantised_node(raw)) {
    return fail(ErrorCode::kInvalidInput, "quantise: {}: the model is quantised already; begin with the one in float",
                quantised->describe());
  }
  Graph graph = MW_TRY(raised_and_prepared(std::move(raw)));
  name_nodes(graph);
  const size_t pairs = start.equalize ? equalize(graph) : 0;
  QuantPlan plan = plan_quantization(graph, {});
  if (plan.weighted.empty()) {
    return fail(ErrorCode::kInvalidInput, "quantise: nothing can be quantised: {}",
                plan.left_float.empty() ? "it has no Conv, Gemm or MatMul"
                                        : plan.left_float[0].node + ": " + plan.left_float[0].why);
  }
  std::vector<std::string> watched;
  for (const std::string& value : plan.activations) {
    if (!plan.follows.contains(value)) watched.push_back(value);
  }
  Int8Quantizer out(std::move(graph), std::move(plan));
  out.equalized_pairs_ = pairs;
  if (start.measured == nullptr) {
    out.ranges_ = MW_TRY(calibrate(out.graph_, watched, samples, options));
    return out;
  }
  for (const std::string& value : watched) {
    const auto range = start.measured->find(value);
    if (range == start.measured->end()) {
      return fail(ErrorCode::kCorrupt, "calibration record: no range of '{}'; remove it to calibrate anew", value);
    }
    out.ranges_.insert(*range);
  }
  return out;
}

Result<Quantized> Int8Quantizer::quantize(const QdqForm& form, const std::set<std::string>& float_nodes) const {
  Graph graph = graph_.copy();
  Quantized out{.model = {}, .plan = plan_quantization(graph, float_nodes)};
  for (const std::string& value : out.plan.activations) {
    if (!ranges_.contains(leader(out.plan, value))) {
      return fail(ErrorCode::kInvalidInput, "quantise: no range of '{}' was measured", leader(out.plan, value));
    }
  }
  QdqWriter(graph, out.plan, ranges_, form).run();
  onnx::remove_unused(graph);
  out.model = MW_TRY(graph.serialize());
  return out;
}

}  // namespace millwright::lab
