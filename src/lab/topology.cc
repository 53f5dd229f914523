// SPDX-License-Identifier: Apache-2.0
#include "lab/topology.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <string>
#include <vector>

#include "base/random.h"
#include "onnx/graph_builder.h"

namespace millwright::lab {
namespace {

using namespace std::string_view_literals;
using onnx::GraphBuilder;

constexpr std::array kNames = {"resnet50"sv, "mobilenetv2"sv};
constexpr int64_t kClasses = 1'000;
constexpr size_t kField = 2'048;

enum class Activation : uint8_t { kNone, kRelu, kRelu6 };

// A value of the network with a sample of what its elements are like. A sum of many products with independent weights
// of mean 0 is close to normal, and its variance follows from the mean square of what came in; so a sample of one layer
// gives one of the next, without running the network (B. Poole et al., "Exponential expressivity in deep neural
// networks through transient chaos", NeurIPS 2016, section 2).
struct Value {
  std::string name;
  int64_t channels = 0;
  int64_t size = 0;  // height and width
  std::vector<double> field;
};

struct Convolution {
  int64_t out = 0;
  int64_t kernel = 1;
  int64_t stride = 1;
  int64_t groups = 1;
  Activation activation = Activation::kNone;
};

double mean_square(const std::vector<double>& field) {
  double sum = 0.0;
  for (const double value : field) sum += value * value;
  return sum / static_cast<double>(field.size());
}

int64_t strided(int64_t size, int64_t stride) { return (size + stride - 1) / stride; }

// The share of a window's elements that lie inside of the image rather than in its padding of (kernel - 1) / 2.
double coverage(int64_t size, int64_t kernel, int64_t stride) {
  int64_t inside = 0;
  const int64_t outs = strided(size, stride);
  for (int64_t o = 0; o < outs; ++o) {
    for (int64_t k = 0; k < kernel; ++k) {
      const int64_t at = o * stride + k - (kernel - 1) / 2;
      inside += at >= 0 && at < size ? 1 : 0;
    }
  }
  const double share = static_cast<double>(inside) / static_cast<double>(outs * kernel);
  return share * share;
}

// What a BatchNormalization does to one channel.
struct Norm {
  double scale = 1.0;
  double offset = 0.0;
  double mean = 0.0;
  double variance = 1.0;
};

class Network {
 public:
  Network(std::string_view name, const TopologyOptions& options)
      : graph_(std::string(name)), random_(options.seed), field_random_(~options.seed) {
    graph_.metadata("topology", std::string(name));
    graph_.metadata("weights", "random");
    graph_.metadata("seed", std::to_string(options.seed));
    image_ = {.name = graph_.input("images", onnx::ElementType::kFloat, {"batch", 3, options.size, options.size}),
              .channels = 3,
              .size = options.size,
              .field = std::vector<double>(kField)};
    for (double& value : image_.field) value = field_random_.normal();
  }

  [[nodiscard]] const Value& image() const { return image_; }

  // Convolution, norm, activation.
  Value layer(const Value& from, const Convolution& c) {
    const int64_t inner = from.channels / c.groups;
    const double fan_in = static_cast<double>(inner * c.kernel * c.kernel);
    const std::string weights = random_constant({c.out, inner, c.kernel, c.kernel}, std::sqrt(2.0 / fan_in));
    const int64_t pad = (c.kernel - 1) / 2;
    const std::string sums = graph_.node("Conv", {from.name, weights},
                                         {GraphBuilder::attribute("group", c.groups),
                                          GraphBuilder::attribute("kernel_shape", std::vector{c.kernel, c.kernel}),
                                          GraphBuilder::attribute("pads", std::vector{pad, pad, pad, pad}),
                                          GraphBuilder::attribute("strides", std::vector{c.stride, c.stride})});
    Value out{.name = sums, .channels = c.out, .size = strided(from.size, c.stride), .field = {}};
    out.field.resize(kField);
    normalise(out, 2.0 * mean_square(from.field) * coverage(from.size, c.kernel, c.stride));
    return activated(std::move(out), c.activation);
  }

  Value add(const Value& a, const Value& b, Activation activation) {
    Value out{.name = graph_.node("Add", {a.name, b.name}), .channels = a.channels, .size = a.size, .field = a.field};
    std::ranges::transform(a.field, b.field, out.field.begin(), std::plus());
    return activated(std::move(out), activation);
  }

  Value max_pool(const Value& from) {
    Value out = from;
    out.size = strided(from.size, 2);
    out.name = graph_.node("MaxPool", {from.name},
                           {GraphBuilder::attribute("kernel_shape", std::vector<int64_t>{3, 3}),
                            GraphBuilder::attribute("pads", std::vector<int64_t>{1, 1, 1, 1}),
                            GraphBuilder::attribute("strides", std::vector<int64_t>{2, 2})});
    // The largest of nine that overlap: as if of four that do not.
    for (double& value : out.field) {
      for (int i = 0; i < 3; ++i) value = std::max(value, from.field[field_random_.below(kField)]);
    }
    return out;
  }

  Result<Bytes> classify(const Value& from) {
    const std::string pooled = graph_.node("GlobalAveragePool", {from.name});
    const std::string flat = graph_.node("Flatten", {pooled}, {GraphBuilder::attribute("axis", 1)});
    const double deviation = 1.0 / std::sqrt(static_cast<double>(from.channels));
    const std::string weights = random_constant({kClasses, from.channels}, deviation);
    const std::string bias = random_constant({kClasses}, deviation);
    graph_.node("Gemm", {flat, weights, bias}, {GraphBuilder::attribute("transB", 1)}, "logits");
    graph_.output("logits", onnx::ElementType::kFloat, {"batch", kClasses});
    return graph_.finish();
  }

 private:
  std::string random_constant(std::vector<int64_t> dims, double deviation) {
    int64_t count = 1;
    for (const int64_t dim : dims) count *= dim;
    std::vector<float> values(static_cast<size_t>(count));
    for (float& value : values) value = static_cast<float>(deviation * random_.normal());
    return graph_.constant(values, std::move(dims));
  }

  // As after training: no channel's mean is 0, no two have the same spread.
  static Norm random_norm(Random& random, double variance) {
    return {.scale = random.uniform(0.5, 1.5),
            .offset = 0.2 * random.normal(),
            .mean = 0.2 * std::sqrt(variance) * random.normal(),
            .variance = variance * random.uniform(0.5, 1.5)};
  }

  void normalise(Value& value, double variance) {
    std::array<std::vector<float>, 4> parts;
    for (int64_t c = 0; c < value.channels; ++c) {
      const Norm norm = random_norm(random_, variance);
      parts[0].push_back(static_cast<float>(norm.scale));
      parts[1].push_back(static_cast<float>(norm.offset));
      parts[2].push_back(static_cast<float>(norm.mean));
      parts[3].push_back(static_cast<float>(norm.variance));
    }
    std::vector<std::string> inputs = {value.name};
    for (const auto& part : parts) inputs.push_back(graph_.constant(part, {value.channels}));
    value.name = graph_.node("BatchNormalization", inputs);
    for (double& element : value.field) {
      const Norm norm = random_norm(field_random_, variance);
      const double sum = std::sqrt(variance) * field_random_.normal();
      element = norm.scale * (sum - norm.mean) / std::sqrt(norm.variance) + norm.offset;
    }
  }

  Value activated(Value value, Activation activation) {
    if (activation == Activation::kNone) return value;
    const bool clipped = activation == Activation::kRelu6;
    if (clipped && zero_.empty()) {
      zero_ = graph_.scalar(0.0F);
      six_ = graph_.scalar(6.0F);
    }
    value.name = clipped ? graph_.node("Clip", {value.name, zero_, six_}) : graph_.node("Relu", {value.name});
    for (double& element : value.field) element = std::max(clipped ? std::min(element, 6.0) : element, 0.0);
    return value;
  }

  GraphBuilder graph_;
  Random random_;        // of what is written
  Random field_random_;  // of the samples that walk along
  Value image_;
  std::string zero_;
  std::string six_;
};

// Table 1 of the paper, 50 layers: three convolutions a block, the last four times as wide.
Result<Bytes> resnet50(const TopologyOptions& options) {
  struct Stage {
    int64_t width;
    int blocks;
  };
  constexpr std::array kStages = {Stage{64, 3}, Stage{128, 4}, Stage{256, 6}, Stage{512, 3}};
  constexpr int64_t kWider = 4;
  using enum Activation;
  Network net("resnet50", options);
  Value at = net.max_pool(net.layer(net.image(), {.out = 64, .kernel = 7, .stride = 2, .activation = kRelu}));
  for (const Stage& stage : kStages) {
    for (int block = 0; block < stage.blocks; ++block) {
      const int64_t stride = block == 0 && stage.width != 64 ? 2 : 1;
      Value main = net.layer(at, {.out = stage.width, .activation = kRelu});
      main = net.layer(main, {.out = stage.width, .kernel = 3, .stride = stride, .activation = kRelu});
      main = net.layer(main, {.out = stage.width * kWider});
      const Value aside = block == 0 ? net.layer(at, {.out = stage.width * kWider, .stride = stride}) : at;
      at = net.add(main, aside, kRelu);
    }
  }
  return net.classify(at);
}

// Table 2 of the paper: widened, filtered channel by channel, narrowed without an activation.
Result<Bytes> mobilenet_v2(const TopologyOptions& options) {
  struct Stage {
    int64_t wider;
    int64_t out;
    int blocks;
    int64_t stride;
  };
  constexpr std::array kStages = {Stage{1, 16, 1, 1}, Stage{6, 24, 2, 2},  Stage{6, 32, 3, 2}, Stage{6, 64, 4, 2},
                                  Stage{6, 96, 3, 1}, Stage{6, 160, 3, 2}, Stage{6, 320, 1, 1}};
  using enum Activation;
  Network net("mobilenetv2", options);
  Value at = net.layer(net.image(), {.out = 32, .kernel = 3, .stride = 2, .activation = kRelu6});
  for (const Stage& stage : kStages) {
    for (int block = 0; block < stage.blocks; ++block) {
      const int64_t stride = block == 0 ? stage.stride : 1;
      const int64_t wide = at.channels * stage.wider;
      Value main = stage.wider == 1 ? at : net.layer(at, {.out = wide, .activation = kRelu6});
      main = net.layer(main, {.out = wide, .kernel = 3, .stride = stride, .groups = wide, .activation = kRelu6});
      main = net.layer(main, {.out = stage.out});
      at = stride == 1 && at.channels == stage.out ? net.add(main, at, kNone) : std::move(main);
    }
  }
  return net.classify(net.layer(at, {.out = 1'280, .activation = kRelu6}));
}

}  // namespace

std::span<const std::string_view> topology_names() { return kNames; }

Result<Bytes> topology(std::string_view name, const TopologyOptions& options) {
  if (options.size < kMinTopologySize || options.size > kMaxTopologySize) {
    return fail(ErrorCode::kInvalidInput, "topology: images of {} x {}; {} to {} are allowed", options.size,
                options.size, kMinTopologySize, kMaxTopologySize);
  }
  if (name == kNames[0]) return resnet50(options);
  if (name == kNames[1]) return mobilenet_v2(options);
  return fail(ErrorCode::kInvalidInput, "topology: there is no '{}'; there are resnet50 and mobilenetv2", name);
}

}  // namespace millwright::lab
