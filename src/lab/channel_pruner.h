// SPDX-License-Identifier: Apache-2.0
// Takes channels out of a graph: which belong together, which go, and the graph without them.
#pragma once

#include <cstddef>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "lab/channels.h"
#include "onnx/graph.h"

namespace millwright::lab {

using ChannelScores = std::map<size_t, double>;  // channel -> importance; the least goes first
using ChannelSet = std::set<size_t>;

// Layers that share channels, by an Add for instance, and all of their channels.
struct ChannelGroup {
  std::vector<size_t> layers;  // indices into ChannelMap::layers(), ascending
  ChannelSet channels;
};

class ChannelPruner {
 public:
  // `graph` states types and shapes (inference::prepared_graph) and outlives this.
  explicit ChannelPruner(const onnx::Graph& graph);

  [[nodiscard]] const onnx::Graph& graph() const { return graph_; }
  [[nodiscard]] const ChannelMap& map() const { return map_; }
  [[nodiscard]] const std::vector<ChannelGroup>& groups() const { return groups_; }
  // "node 'conv1' (Conv)" of the group's first layer.
  [[nodiscard]] std::string describe(const ChannelGroup& group) const;

  // The share `ratio` of the group's channels, rounded down, that matters least; those that something needs are never
  // among them. Equal scores: the first goes.
  [[nodiscard]] ChannelSet least(const ChannelGroup& group, const ChannelScores& scores, double ratio) const;
  // Gives back the best channel of each value that would have none left.
  void leave_one(ChannelSet& removed, const ChannelScores& scores) const;

  // Whether each channel of the value stays; empty where they are not followed.
  [[nodiscard]] std::vector<bool> kept(const std::string& value, const ChannelSet& removed) const;

  // The graph with these channels set to 0, and without them: both say the same.
  [[nodiscard]] onnx::Graph masked(const ChannelSet& removed) const;
  [[nodiscard]] onnx::Graph cut(const ChannelSet& removed) const;

 private:
  void cut_layer(onnx::Graph& graph, const ChannelLayer& layer, const ChannelSet& removed) const;
  void cut_shapes(onnx::Graph& graph, const ChannelSet& removed) const;

  const onnx::Graph& graph_;
  const ChannelMap map_;
  std::vector<ChannelGroup> groups_;
};

}  // namespace millwright::lab
