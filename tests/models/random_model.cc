// SPDX-License-Identifier: Apache-2.0
#include "models/random_model.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <utility>

#include "base/check.h"
#include "base/random.h"
#include "onnx/graph_builder.h"

namespace millwright::models {
namespace {

using onnx::GraphBuilder;
using Ints = std::vector<int64_t>;

constexpr int64_t kOldest = 11;
constexpr int64_t kNewest = 21;
constexpr int64_t kHardSwishOpset = 14;
constexpr int64_t kSplitInputOpset = 13;
constexpr int64_t kOptionalRegionOpset = 13;
constexpr int64_t kReduceAxesOpset = 18;
constexpr int64_t kMostChannels = 64;

// A value of the graph: its sizes without the batch; three of them are channels, height, width.
struct Value {
  std::string name;
  Ints shape;
  [[nodiscard]] int64_t channels() const { return shape[0]; }
  [[nodiscard]] bool is_picture() const { return shape.size() == 3; }
};

class Maker {
 public:
  explicit Maker(uint64_t seed)
      : random_(seed),
        opset_(kOldest + below(kNewest - kOldest + 1)),
        dynamic_(below(2) == 0),
        builder_("random", opset_) {}

  RandomModel make() {
    const bool is_picture = below(4) != 0;
    const Ints shape = is_picture ? Ints{1 + below(4), 6 + below(7), 6 + below(7)} : Ints{4 + below(20)};
    Value at{.name = "x", .shape = shape};
    onnx::Shape whole = {dynamic_ ? onnx::Dim("batch") : onnx::Dim(1)};
    whole.insert(whole.end(), shape.begin(), shape.end());
    builder_.input("x", onnx::ElementType::kFloat, whole);
    Ints sample = shape;
    if (is_picture && below(5) == 0) at = from_channels_last(at);
    at = is_picture ? pictures(conv(at)) : rows(at);
    builder_.output(at.name, onnx::ElementType::kFloat, batched(at.shape));
    auto bytes = builder_.finish();
    MW_CHECK(bytes.has_value(), "a model made here is valid");
    return {.bytes = *std::move(bytes),
            .opset = opset_,
            .has_dynamic_batch = dynamic_,
            .sample_shape = std::move(sample),
            .operators = std::move(operators_)};
  }

 private:
  int64_t below(int64_t n) { return static_cast<int64_t>(random_.below(static_cast<uint64_t>(n))); }
  template <typename T>
  const T& one_of(const std::vector<T>& list) {
    return list[random_.below(list.size())];
  }

  [[nodiscard]] onnx::Shape batched(const Ints& shape) const {
    onnx::Shape out = {dynamic_ ? onnx::Dim("batch") : onnx::Dim(1)};
    out.insert(out.end(), shape.begin(), shape.end());
    return out;
  }

  std::string floats(Ints dims, double spread, double centre = 0.0) {
    int64_t count = 1;
    for (const int64_t dim : dims) count *= dim;
    std::vector<float> values(static_cast<size_t>(count));
    for (float& value : values) value = static_cast<float>(centre + spread * random_.normal());
    return builder_.constant(values, std::move(dims));
  }
  // All above 0.
  std::string variances(int64_t count) {
    std::vector<float> values(static_cast<size_t>(count));
    for (float& value : values) value = static_cast<float>(random_.uniform(0.5, 1.5));
    return builder_.constant(values, {count});
  }
  std::string ints(const Ints& values) { return builder_.constant(values, {static_cast<int64_t>(values.size())}); }

  std::string node(const std::string& op, std::vector<std::string> inputs,
                   std::vector<GraphBuilder::Attribute> attributes = {}) {
    operators_.insert(op);
    return builder_.node(op, std::move(inputs), std::move(attributes));
  }
  template <typename T>
  static GraphBuilder::Attribute attribute(std::string name, T value) {
    return GraphBuilder::attribute(std::move(name), std::move(value));
  }

  // The exporter's way from (height, width, channels); what the sample's shape says is then read so.
  Value from_channels_last(const Value& in) {
    return {.name = node("Transpose", {in.name}, {attribute("perm", Ints{0, 3, 1, 2})}),
            .shape = {in.shape[2], in.shape[0], in.shape[1]}};
  }

  Value conv(const Value& in) { return conv(in, below(3) == 0 ? in.channels() : 2 + below(14)); }

  // Square and oblong kernels, pads on both sides or as "SAME_UPPER", strides, dilations, groups.
  Value conv(const Value& in, int64_t made, bool keeps_size = false) {
    int64_t group = 1;
    const int64_t kind = below(5);
    if (kind == 0) {
      group = in.channels();
      made = group * (below(4) == 0 ? 2 : 1);
      if (keeps_size) made = in.channels();
    } else if (kind == 1 && in.channels() % 2 == 0 && made % 2 == 0) {
      group = 2;
    }
    const Ints kernel = {1 + 2 * below(2), 1 + 2 * below(2)};
    const int64_t dilation = !keeps_size && below(5) == 0 ? 2 : 1;
    const int64_t stride = !keeps_size && in.shape[1] >= 6 && in.shape[2] >= 6 && below(4) == 0 ? 2 : 1;
    std::vector<GraphBuilder::Attribute> attributes = {attribute("kernel_shape", kernel)};
    Value out{.name = {}, .shape = {made, 0, 0}};
    const bool same = dilation == 1 && below(5) == 0;
    if (same) attributes.push_back(attribute("auto_pad", std::string("SAME_UPPER")));
    Ints pads(4, 0);
    for (size_t i = 0; i < 2; ++i) {
      const int64_t reach = dilation * (kernel[i] - 1);
      const bool pad = keeps_size || in.shape[i + 1] <= reach || below(3) != 0;
      if (pad) pads[i] = pads[i + 2] = reach / 2;
      out.shape[i + 1] = same ? (in.shape[i + 1] + stride - 1) / stride
                              : (in.shape[i + 1] + pads[i] + pads[i + 2] - reach - 1) / stride + 1;
    }
    if (!same) attributes.push_back(attribute("pads", pads));
    attributes.push_back(attribute("strides", Ints{stride, stride}));
    if (dilation > 1) attributes.push_back(attribute("dilations", Ints{dilation, dilation}));
    if (group > 1 || below(2) == 0) attributes.push_back(attribute("group", group));
    const int64_t read = in.channels() / group;
    std::vector<std::string> inputs = {
        in.name,
        floats({made, read, kernel[0], kernel[1]}, std::sqrt(2.0 / static_cast<double>(read * kernel[0] * kernel[1])))};
    if (below(3) != 0) inputs.push_back(floats({made}, 0.2));
    out.name = node("Conv", std::move(inputs), std::move(attributes));
    if (below(2) == 0) out = batch_norm(out);
    return below(4) == 0 ? out : activation(out);
  }

  Value batch_norm(const Value& in) {
    const int64_t n = in.channels();
    return {.name = node("BatchNormalization",
                         {in.name, floats({n}, 0.2, 1.0), floats({n}, 0.2), floats({n}, 0.2), variances(n)},
                         {attribute("epsilon", 1e-3F)}),
            .shape = in.shape};
  }

  Value activation(const Value& in) {
    switch (below(9)) {
      case 0: return {.name = node("Clip", {in.name, builder_.scalar(0.0F), builder_.scalar(6.0F)}), .shape = in.shape};
      case 1: return {.name = node("Sigmoid", {in.name}), .shape = in.shape};
      case 2:
        if (opset_ >= kHardSwishOpset) return {.name = node("HardSwish", {in.name}), .shape = in.shape};
        return {.name = node("HardSigmoid", {in.name}), .shape = in.shape};
      case 3: return {.name = node("LeakyRelu", {in.name}, {attribute("alpha", 0.1F)}), .shape = in.shape};
      case 4: return {.name = node("Mul", {in.name, node("Sigmoid", {in.name})}), .shape = in.shape};  // SiLU
      case 5: return {.name = node("Tanh", {in.name}), .shape = in.shape};
      default: return {.name = node("Relu", {in.name}), .shape = in.shape};
    }
  }

  Value residual(const Value& in) {
    const Value inner = conv(in, in.channels(), true);
    const std::string op = below(6) == 0 ? "Sub" : "Add";
    const Value sum{.name = node(op, {inner.name, in.name}), .shape = in.shape};
    return below(2) == 0 ? sum : activation(sum);
  }

  // Squeeze and excite: the mean of each channel says how much of it goes on.
  Value excite(const Value& in) {
    const std::string mean = node("GlobalAveragePool", {in.name});
    const int64_t n = in.channels();
    const int64_t few = std::max<int64_t>(1, n / 2);
    const std::string squeezed = node("Relu", {node("Conv", {mean, floats({few, n, 1, 1}, 0.5)})});
    const std::string gate = node("Sigmoid", {node("Conv", {squeezed, floats({n, few, 1, 1}, 0.5)})});
    return {.name = node("Mul", {in.name, gate}), .shape = in.shape};
  }

  Value branches(const Value& in) {
    const Value left = conv(in, 2 + below(6), true);
    const Value right = below(3) == 0 ? in : conv(in, 2 + below(6), true);
    return {.name = node("Concat", {left.name, right.name}, {attribute("axis", 1)}),
            .shape = {left.channels() + right.channels(), in.shape[1], in.shape[2]}};
  }

  // Two parts of the channels, one of them goes through a layer, and together again.
  Value split(const Value& in) {
    const int64_t first = 1 + below(in.channels() - 1);
    const Ints parts = {first, in.channels() - first};
    operators_.insert("Split");
    std::vector<std::string> out;
    if (opset_ < kSplitInputOpset) {
      out = builder_.node_n("Split", {in.name}, 2, {attribute("axis", 1), attribute("split", parts)});
    } else {
      out = builder_.node_n("Split", {in.name, ints(parts)}, 2, {attribute("axis", 1)});
    }
    const Value left = conv({.name = out[0], .shape = {first, in.shape[1], in.shape[2]}}, first, true);
    return {.name = node("Concat", {left.name, out[1]}, {attribute("axis", 1)}),
            .shape = {left.channels() + parts[1], in.shape[1], in.shape[2]}};
  }

  Value pool(const Value& in) {
    const std::string op = below(2) == 0 ? "MaxPool" : "AveragePool";
    return {.name = node(op, {in.name}, {attribute("kernel_shape", Ints{2, 2}), attribute("strides", Ints{2, 2})}),
            .shape = {in.channels(), in.shape[1] / 2, in.shape[2] / 2}};
  }

  Value resize(const Value& in) {
    const std::array<float, 4> scales = {1.0F, 1.0F, 2.0F, 2.0F};
    // Before, the region of interest had to be there, empty.
    const std::string region =
        opset_ < kOptionalRegionOpset ? builder_.constant(std::span<const float>(), {0}) : std::string();
    return {.name = node("Resize", {in.name, region, builder_.constant(scales, {4})},
                         {attribute("mode", std::string("nearest"))}),
            .shape = {in.channels(), in.shape[1] * 2, in.shape[2] * 2}};
  }

  Value pad(const Value& in) {
    return {.name = node("Pad", {in.name, ints({0, 0, 1, 0, 0, 0, 0, 1})}),
            .shape = {in.channels(), in.shape[1] + 1, in.shape[2] + 1}};
  }

  // There and back, as converters between layouts write it.
  Value turned(const Value& in) {
    const std::string last = node("Transpose", {in.name}, {attribute("perm", Ints{0, 2, 3, 1})});
    const std::string scaled = node("Mul", {last, floats({in.channels()}, 0.1, 1.0)});
    return {.name = node("Transpose", {scaled}, {attribute("perm", Ints{0, 3, 1, 2})}), .shape = in.shape};
  }

  Value pictures(Value at) {
    for (int64_t left = 2 + below(6); left > 0; --left) {
      switch (below(10)) {
        case 0:
          if (at.shape[1] >= 4 && at.shape[2] >= 4) at = pool(at);
          break;
        case 1: at = branches(at); break;
        case 2:
          if (at.channels() > 1) at = split(at);
          break;
        case 3:
          if (at.shape[1] <= 8 && at.shape[2] <= 8) at = resize(at);
          break;
        case 4: at = excite(at); break;
        case 5: at = turned(pad(at)); break;
        case 6:
        case 7: at = residual(at); break;
        default: at = conv(at); break;
      }
      if (at.channels() > kMostChannels) at = conv(at, 8);
    }
    return below(6) == 0 ? at : head(at);
  }

  Value head(const Value& in) {
    Value flat{.name = {}, .shape = {in.channels()}};
    std::string at = in.name;
    const int64_t kind = below(4);
    if (kind == 0) {
      flat.shape = {in.channels() * in.shape[1] * in.shape[2]};
      flat.name = node("Flatten", {at});
    } else if (kind == 1) {
      flat.shape = {in.channels() * in.shape[1] * in.shape[2]};
      const Ints sizes = below(2) == 0 ? Ints{0, -1} : Ints{-1, flat.shape[0]};
      flat.name = node("Reshape", {at, ints(sizes)});
    } else if (kind == 2) {
      flat.name = mean_of_places(at);
    } else {
      flat.name = node("Flatten", {node(below(2) == 0 ? "GlobalAveragePool" : "GlobalMaxPool", {at})});
    }
    return rows(flat);
  }

  std::string mean_of_places(const std::string& at) {
    if (opset_ >= kReduceAxesOpset) return node("ReduceMean", {at, ints({2, 3})}, {attribute("keepdims", 0)});
    return node("ReduceMean", {at}, {attribute("axes", Ints{2, 3}), attribute("keepdims", 0)});
  }

  Value dense(const Value& in, int64_t made) {
    const int64_t read = in.shape[0];
    const double spread = std::sqrt(1.5 / static_cast<double>(read));
    if (below(2) == 0) {
      const int64_t turned_weights = below(2);
      const Ints dims = turned_weights != 0 ? Ints{made, read} : Ints{read, made};
      std::vector<std::string> inputs = {in.name, floats(dims, spread)};
      // A bias of each channel, or the same for all.
      if (below(4) != 0) inputs.push_back(below(5) == 0 ? floats({1}, 0.3) : floats({made}, 0.3));
      return {.name = node("Gemm", std::move(inputs), {attribute("transB", turned_weights)}), .shape = {made}};
    }
    const std::string product = node("MatMul", {in.name, floats({read, made}, spread)});
    if (below(3) == 0) return {.name = product, .shape = {made}};
    return {.name = node("Add", {product, floats({made}, 0.3)}), .shape = {made}};
  }

  Value rows(Value at) {
    for (int64_t left = below(3); left > 0; --left) {
      const Value next = dense(at, 3 + below(24));
      const Value lively = activation(next);
      if (lively.shape == at.shape && below(2) == 0) {
        at = {.name = node("Add", {lively.name, at.name}), .shape = at.shape};
      } else {
        at = lively;
      }
    }
    at = dense(at, 2 + below(6));
    if (below(3) == 0) at.name = node("Softmax", {at.name}, {attribute("axis", below(2) == 0 ? 1 : -1)});
    return at;
  }

  Random random_;
  int64_t opset_;
  bool dynamic_;
  GraphBuilder builder_;
  std::set<std::string> operators_;
};

}  // namespace

RandomModel random_model(uint64_t seed) { return Maker(seed).make(); }

}  // namespace millwright::models
