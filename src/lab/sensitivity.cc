// SPDX-License-Identifier: Apache-2.0
#include "lab/sensitivity.h"

#include "lab/channel_pruner.h"
#include "lab/prune_start.h"

namespace millwright::lab {
namespace {

GroupSensitivity described(const ChannelPruner& pruner, const ChannelGroup& group) {
  GroupSensitivity out{.group = pruner.describe(group), .channels = group.channels.size()};
  for (const size_t layer : group.layers) {
    out.layers.push_back(pruner.graph().nodes[pruner.map().layers()[layer].node].describe());
  }
  return out;
}

}  // namespace

Result<Sensitivity> scan_sensitivity(std::span<const std::byte> model, recording::Dataset& validation,
                                     const SensitivityOptions& options) {
  const onnx::Graph graph = MW_TRY(prune_start(model));
  const ChannelPruner pruner(graph);
  const ChannelScores scores = MW_TRY(importance(pruner, model, options.prune.importance));
  const Bytes before = MW_TRY(graph.serialize());
  CompareOptions compare;
  compare.labels = options.labels;
  Sensitivity out;
  const size_t all = pruner.groups().size() * options.ratios.size();
  size_t done = 0;
  for (const ChannelGroup& group : pruner.groups()) {
    out.groups.push_back(described(pruner, group));
    for (const double ratio : options.ratios) {
      ChannelSet removed = pruner.least(group, scores, ratio);
      pruner.leave_one(removed, scores);
      auto& steps = out.groups.back().steps;
      if (!removed.empty() && (steps.empty() || steps.back().removed < removed.size())) {
        const Bytes after = MW_TRY(pruner.cut(removed).serialize());
        const auto cost = MW_TRY(compare_models(before, after, validation, compare));
        steps.push_back({.ratio = ratio, .removed = removed.size(), .drop = cost.drop});
        out.metric = cost.metric;
        out.metric_before = cost.metric_a;
      }
      if (options.progress) options.progress(++done, all);
    }
  }
  return out;
}

}  // namespace millwright::lab
