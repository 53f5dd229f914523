// SPDX-License-Identifier: Apache-2.0
// Which channels of a network belong together: what a convolution makes, followed through all that keeps channels apart
// up to the layers that mix them.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "onnx/graph.h"

namespace millwright::lab {

// A layer with constant weights that makes channels: Conv (also depthwise and in groups), Gemm, MatMul.
struct ChannelLayer {
  size_t node = 0;            // index into graph.nodes
  size_t output_axis = 0;     // of the weights: the channels that it makes
  size_t input_axis = 1;      // of the weights: those that it reads; a depthwise one has none of its own
  bool is_depthwise = false;  // each channel that it makes comes of one that it reads
  size_t groups = 1;          // of a Conv; each loses the same places
};

// A constant with a value for each channel beside a layer: of BatchNormalization, PRelu, Add, Sub, Mul.
struct ChannelConstant {
  size_t node = 0;
  size_t input = 0;
  size_t axis = 0;
  bool zero_when_masked = false;  // or the channel would not be 0 behind it
};

// Channels are numbered through the whole graph; those that can only be there or not together have one number. A
// channel whose filters are 0 must be 0 wherever a layer reads it, so that taking it out changes nothing: a Sigmoid
// makes 0.5 of it, and is followed only where its result is multiplied with the channel itself.
class ChannelMap {
 public:
  // `graph` states types and shapes (inference::prepared_graph).
  explicit ChannelMap(const onnx::Graph& graph);

  [[nodiscard]] const std::vector<ChannelLayer>& layers() const { return layers_; }
  [[nodiscard]] const std::vector<ChannelConstant>& constants() const { return constants_; }
  // All values whose channels are followed.
  [[nodiscard]] std::vector<std::string> values() const;
  // The number of each channel of a value, in their order; empty: the value is none whose channels are followed.
  [[nodiscard]] std::vector<size_t> channels(std::string_view value) const;
  // Whether something needs the channel to be where it is: an output of the graph, an operator that is not known.
  [[nodiscard]] bool is_pinned(size_t channel) const { return pinned_[find(channel)]; }
  // Why, for the first that pinned it; empty: it is not.
  [[nodiscard]] const std::string& why(size_t channel) const { return reasons_[find(channel)]; }
  [[nodiscard]] size_t count() const { return parents_.size(); }

 private:
  using Channels = std::vector<size_t>;

  void visit(size_t index);
  [[nodiscard]] size_t find(size_t channel) const;
  void join(size_t a, size_t b);
  Channels make(size_t count);
  void pin(std::string_view value, const std::string& why);
  void pin_channel(size_t channel, const std::string& why);
  [[nodiscard]] std::optional<Channels> follow(size_t index);
  [[nodiscard]] std::optional<Channels> follow_layer(size_t index);
  [[nodiscard]] std::optional<Channels> follow_grouped(ChannelLayer layer, const Channels* read, size_t made);
  [[nodiscard]] std::optional<Channels> follow_pair(size_t index);
  [[nodiscard]] std::optional<Channels> follow_with_constants(size_t index, size_t first);
  [[nodiscard]] std::optional<Channels> follow_flat(const onnx::Node& node);
  [[nodiscard]] std::optional<Channels> follow_concat(const onnx::Node& node);
  [[nodiscard]] bool follow_split(const onnx::Node& node);
  [[nodiscard]] const Channels* known(std::string_view value) const;

  const onnx::Graph& graph_;
  std::vector<ChannelLayer> layers_;
  std::vector<ChannelConstant> constants_;
  std::map<std::string, Channels, std::less<>> values_;
  std::set<std::string, std::less<>> not_zero_;  // values that are not 0 where the channel is masked
  mutable std::vector<size_t> parents_;          // a forest of those that belong together
  std::vector<bool> pinned_;
  std::vector<std::string> reasons_;
};

}  // namespace millwright::lab
