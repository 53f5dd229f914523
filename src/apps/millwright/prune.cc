// SPDX-License-Identifier: Apache-2.0
#include "lab/prune.h"

#include <algorithm>
#include <memory>
#include <optional>

#include <nlohmann/json.hpp>

#include "apps/millwright/command.h"
#include "apps/millwright/samples.h"
#include "inference/trial.h"
#include "lab/sensitivity.h"
#include "model/json_fields.h"

namespace millwright::apps {
namespace {

using nlohmann::json;

struct Options {
  std::filesystem::path model;
  std::filesystem::path validation;
  std::filesystem::path calibration;
  std::filesystem::path labels;
  std::filesystem::path out;
  SampleFormat format;
  std::string criterion = "l1";
  lab::PruneOptions prune;
  bool structured = false;
  bool unstructured = false;
  bool scan = false;
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

json sensitivity_json(const lab::Sensitivity& found) {
  json groups = json::array();
  for (const auto& group : found.groups) {
    json steps = json::array();
    for (const auto& step : group.steps) {
      steps.push_back({{"ratio", step.ratio}, {"channels_removed", step.removed}, {"drop", step.drop}});
    }
    groups.push_back({{"layers", group.layers}, {"channels", group.channels}, {"steps", std::move(steps)}});
  }
  return {{"metric", lab::name(found.metric)}, {"metric_before", found.metric_before}, {"groups", std::move(groups)}};
}

// One line a group of layers that share channels, one column a ratio.
void print_sensitivity(const lab::Sensitivity& found, const std::vector<double>& ratios) {
  fmt::print("{} {:.4g} before; its drop where only these layers lose channels:\n{:<50} {:>8}", lab::name(found.metric),
             found.metric_before, "layers that share channels", "channels");
  for (const double ratio : ratios) fmt::print(" {:>8.0f} %", 100.0 * ratio);
  fmt::print("\n");
  for (const auto& group : found.groups) {
    const auto others = group.layers.size() > 1 ? fmt::format(" and {} more", group.layers.size() - 1) : "";
    fmt::print("{:<50} {:>8}", group.group + others, group.channels);
    for (const double ratio : ratios) {
      const auto step = std::ranges::find(group.steps, ratio, &lab::SensitivityStep::ratio);
      fmt::print(" {:>10}", step == group.steps.end() ? "-" : fmt::format("{:.2f}", step->drop));
    }
    fmt::print("\n");
  }
}

Result<int> scan(const Options& options, std::span<const std::byte> model) {
  if (options.validation.empty())
    return fail(ErrorCode::kInvalidInput, "--scan measures on samples: give --validation");
  const auto samples = MW_TRY(open_samples(options.validation, options.format));
  lab::SensitivityOptions how{.prune = options.prune};
  how.labels = MW_TRY(labels_of(options.labels, *samples));
  how.progress = progress("variants measured");
  const auto found = MW_TRY_IN(options.model.string(), lab::scan_sensitivity(model, *samples, how));
  if (options.as_json) {
    fmt::print("{}\n", model::json_line(sensitivity_json(found)));
  } else {
    print_sensitivity(found, how.ratios);
  }
  return 0;
}

// What was asked for that does not go together.
Status check(const Options& options) {
  if (options.scan && options.unstructured) {
    return fail(ErrorCode::kInvalidInput, "--scan is of whole channels, not of single weights");
  }
  if (!options.scan && (options.out.empty() || options.prune.ratio == 0.0)) {
    return fail(ErrorCode::kInvalidInput, "prune needs --ratio and --out; or --scan, to see what each layer can lose");
  }
  if (!options.calibration.empty() && options.criterion != "activation") {
    return fail(ErrorCode::kInvalidInput, "--calibration is for --criterion activation; {} looks at weights only",
                options.criterion);
  }
  return {};
}

Result<int> prune(Options& options) {
  MW_CHECK_OK(check(options));
  options.prune.is_structured = !options.unstructured;
  const auto criterion = lab::criterion(options.criterion);
  if (!criterion) return fail(ErrorCode::kInvalidInput, "--criterion {}: l1, l2, bn or activation", options.criterion);
  options.prune.importance = {.criterion = *criterion, .progress = progress("activations measured")};
  std::unique_ptr<recording::Dataset> calibration;
  if (!options.calibration.empty()) {
    calibration = MW_TRY(open_samples(options.calibration, options.format));
    options.prune.importance.calibration = calibration.get();
  }
  const Bytes before = MW_TRY(read_model(options.model));
  (void)MW_TRY_IN(options.model.string(), inference::try_model(before));
  if (options.scan) return scan(options, before);
  const auto pruned = MW_TRY_IN(options.model.string(), lab::prune(before, options.prune));
  json report = {{"structured", options.prune.is_structured},
                 {"criterion", options.prune.is_structured ? options.criterion : "magnitude"},
                 {"ratio", options.prune.ratio},
                 {"parameters_before", pruned.parameters_before},
                 {"parameters_after", pruned.parameters_after},
                 {"bytes_before", before.size()},
                 {"bytes_after", pruned.model.size()},
                 {"layers", layers_json(pruned)}};
  bool held = true;
  if (!options.validation.empty()) {
    const auto samples = MW_TRY(open_samples(options.validation, options.format));
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
  app->add_option("--ratio", options->prune.ratio, "share of each layer's channels, or of all weights");
  app->add_option(
         "--criterion", options->criterion,
         "what a channel is worth: l1 or l2 (its filter), bn (its BatchNorm's scale), activation (its values on "
         "--calibration, times the weights that read it)")
      ->capture_default_str();
  app->add_option("--calibration", options->calibration, fmt::format("samples: {}", kSamplesHelp));
  app->add_flag("--scan", options->scan,
                "prune nothing: the metric's drop on --validation where each layer alone loses 10, 30, 50, 70 %");
  auto* whole = app->add_flag("--structured", options->structured, "whole channels (default)");
  app->add_flag("--unstructured", options->unstructured, "single weights: zeros, no smaller shapes")->excludes(whole);
  app->add_option("--validation", options->validation, "samples for the gate and for --scan");
  options->format.add_to(*app);
  app->add_option("--labels", options->labels, "their labels, one a line");
  app->add_option("--max-drop", options->max_drop, "points that the gate lets go")->capture_default_str();
  app->add_option("--out", options->out, "the pruned model");
  app->add_flag("--json", options->as_json, "one JSON object");
  return {app, [options] { return prune(*options); }};
}

}  // namespace millwright::apps
