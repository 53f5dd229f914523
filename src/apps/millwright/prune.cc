// SPDX-License-Identifier: Apache-2.0
#include "lab/prune.h"

#include <memory>
#include <optional>

#include <nlohmann/json.hpp>

#include "apps/millwright/command.h"
#include "apps/millwright/samples.h"
#include "inference/trial.h"
#include "model/json_fields.h"

namespace millwright::apps {
namespace {

using nlohmann::json;

struct Options {
  std::filesystem::path model;
  std::filesystem::path validation;
  std::filesystem::path labels;
  std::filesystem::path out;
  std::string preprocess;
  lab::PruneOptions prune;
  bool structured = false;
  bool unstructured = false;
  double max_drop = 1.5;
  bool as_json = false;
};

json layers_json(const lab::Pruned& pruned) {
  json layers = json::array();
  for (const auto& layer : pruned.layers) {
    json one = {{"node", layer.node}};
    if (layer.channels > 0) {
      one.update({{"channels", layer.channels}, {"channels_left", layer.channels_left}});
      if (!layer.kept_why.empty()) one["kept_why"] = layer.kept_why;
    } else {
      one["sparsity"] = layer.sparsity;
    }
    layers.push_back(std::move(one));
  }
  return layers;
}

void print_text(const Options& options, const lab::Pruned& pruned, const json& report) {
  fmt::print("{}: {} of {} parameters left, {} bytes\n", options.out.string(), pruned.parameters_after,
             pruned.parameters_before, pruned.model.size());
  for (const auto& layer : pruned.layers) {
    if (layer.channels == 0) {
      fmt::print("  {:<50} {:5.1f} % zeros\n", layer.node, 100.0 * layer.sparsity);
    } else {
      fmt::print("  {:<50} {:5} of {:5} channels{}{}\n", layer.node, layer.channels_left, layer.channels,
                 layer.kept_why.empty() ? "" : "; all kept: ", layer.kept_why);
    }
  }
  if (!report.contains("gate")) return;
  const json& gate = report["gate"];
  fmt::print("{} {:.4g} before, {:.4g} after: drop {:.3g}, gate {}: {}\n", gate["metric"].get<std::string>(),
             gate["metric_a"].get<double>(), gate["metric_b"].get<double>(), gate["drop"].get<double>(),
             options.max_drop,
             report["held"].get<bool>() ? "held" : "NOT HELD; nothing was written: a lower --ratio, or train anew");
}

Result<int> prune(Options& options) {
  options.prune.is_structured = !options.unstructured;
  const Bytes before = MW_TRY(read_model(options.model));
  (void)MW_TRY_IN(options.model.string(), inference::try_model(before));
  const auto pruned = MW_TRY_IN(options.model.string(), lab::prune(before, options.prune));
  json report = {{"structured", options.prune.is_structured},
                 {"ratio", options.prune.ratio},
                 {"parameters_before", pruned.parameters_before},
                 {"parameters_after", pruned.parameters_after},
                 {"bytes_before", before.size()},
                 {"bytes_after", pruned.model.size()},
                 {"layers", layers_json(pruned)}};
  bool held = true;
  if (!options.validation.empty()) {
    const auto samples = MW_TRY(open_samples(options.validation, options.preprocess));
    lab::CompareOptions compare;
    compare.progress = progress("validated");
    compare.labels = MW_TRY(labels_of(options.labels, *samples));
    const auto cost = MW_TRY(lab::compare_models(before, pruned.model, *samples, compare));
    held = cost.drop <= options.max_drop;
    report["gate"] = comparison_json(cost);
  }
  report["held"] = held;
  if (held) MW_CHECK_OK(write_file_atomic(options.out, pruned.model));
  if (options.as_json) {
    fmt::print("{}\n", model::json_line(report));
  } else {
    print_text(options, pruned, report);
  }
  return held ? 0 : 1;
}

}  // namespace

Command prune_command(CLI::App& program) {
  auto options = std::make_shared<Options>();
  CLI::App* app = program.add_subcommand(
      "prune",
      "take out what contributes least: whole channels, or single weights (exit 1 where the gate does not hold)");
  app->add_option("model", options->model, "a .onnx file in float")->required();
  app->add_option("--ratio", options->prune.ratio, "share of each layer's channels, or of all weights")->required();
  auto* whole = app->add_flag("--structured", options->structured, "whole channels (default)");
  app->add_flag("--unstructured", options->unstructured, "single weights: zeros, no smaller shapes")->excludes(whole);
  app->add_option("--validation", options->validation, "samples for the gate");
  app->add_option("--preprocess", options->preprocess, "of pictures, as quantize takes it");
  app->add_option("--labels", options->labels, "their labels, one a line");
  app->add_option("--max-drop", options->max_drop, "points that the gate lets go")->capture_default_str();
  app->add_option("--out", options->out, "the pruned model")->required();
  app->add_flag("--json", options->as_json, "one JSON object");
  return {app, [options] { return prune(*options); }};
}

}  // namespace millwright::apps
