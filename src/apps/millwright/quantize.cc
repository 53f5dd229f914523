// SPDX-License-Identifier: Apache-2.0
#include "lab/quantize.h"

#include <algorithm>
#include <cstdio>
#include <memory>
#include <optional>

#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "apps/millwright/calibrated.h"
#include "apps/millwright/command.h"
#include "apps/millwright/samples.h"
#include "base/files.h"
#include "base/nearest_word.h"
#include "inference/trial.h"
#include "lab/compare.h"
#include "lab/float_layers.h"
#include "lab/half.h"
#include "lab/kernel_check.h"
#include "model/json_fields.h"

namespace millwright::apps {
namespace {

using nlohmann::json;

struct Options {
  std::filesystem::path model;
  std::filesystem::path calibration;
  std::filesystem::path calibration_record;
  std::filesystem::path validation;
  std::filesystem::path labels;
  std::filesystem::path out;
  SampleFormat format;
  std::string method = "entropy";
  std::string precision = "int8";
  double max_drop = 1.5;
  std::vector<std::string> float_layers;
  lab::QdqForm form;
  bool equalize = false;
  bool keep_float_kernels = false;
  bool as_json = false;
};

void print_gate(const Options& options, const json& report) {
  if (!report.contains("gate")) {
    fmt::print("not validated: --validation says what it has cost\n");
    return;
  }
  const json& gate = report["gate"];
  fmt::print("{} {:.4g} before, {:.4g} after, {} samples: drop {:.3g} (95 % interval {:.3g} to {:.3g}), gate {}: {}\n",
             gate["metric"].get<std::string>(), gate["metric_a"].get<double>(), gate["metric_b"].get<double>(),
             gate["n"].get<size_t>(), gate["drop"].get<double>(), gate["drop_ci95"][0].get<double>(),
             gate["drop_ci95"][1].get<double>(), options.max_drop, report["held"].get<bool>() ? "held" : "NOT HELD");
  if (report.contains("next")) fmt::print("nothing was written; {}\n", report["next"].get<std::string>());
}

void print_calibration(const Options& options, const json& report) {
  if (report["calibration_reused"].get<bool>()) {
    fmt::print("{}: fits; nothing was calibrated\n", options.calibration_record.string());
  } else if (const auto differs = report["calibration_differs"].get<std::vector<std::string>>(); !differs.empty()) {
    fmt::print("{}: was of another {}; calibrated anew and written anew\n", options.calibration_record.string(),
               fmt::join(differs, ", "));
  }
}

void print_report(const Options& options, const json& report) {
  print_calibration(options, report);
  if (options.equalize) fmt::print("{} pairs of layers equalised\n", report["equalized_pairs"].get<size_t>());
  fmt::print(
      "{}: {} bytes, {:.1f} times smaller; {} of {} layers are integer kernels, {} convolutions "
      "unfused\n",
      options.out.string(), report["bytes_after"].get<size_t>(),
      static_cast<double>(report["bytes_before"].get<size_t>()) / report["bytes_after"].get<double>(),
      report["integer_kernels"].get<size_t>(), report["layers"].size(), report["unfused_conv"].get<size_t>());
  for (const json& one : report["float_kernel_nodes"]) {
    fmt::print("  in float: {}: {}\n", one["node"].get<std::string>(), one["why"].get<std::string>());
  }
  if (const size_t missing = report["missing_kernels"].get<size_t>(); missing != 0) {
    fmt::print("{} quantised layers are NO integer kernels here, so that the model may be slower than before; {}\n",
               missing,
               options.keep_float_kernels || options.form.symmetric_activations
                   ? "written all the same"
                   : "nothing was written: name them in --float-layers, or, for another runtime "
                     "or device, --keep-float-kernels");
  }
  fmt::print("worst layers (signal to noise; what the output gains where this one stays in float):\n");
  constexpr size_t kShown = 5;
  for (size_t i = 0; i < std::min(kShown, report["layers"].size()); ++i) {
    const json& layer = report["layers"][i];
    fmt::print("  {:<40} {:6.1f} dB  {:+6.2f} dB\n", layer["node"].get<std::string>(), layer["sqnr_db"].get<double>(),
               layer["gain_db"].get<double>());
  }
  print_gate(options, report);
}

// Names on the command line, each of them a layer.
Result<std::set<std::string>> float_nodes(const Options& options, const lab::Int8Quantizer& quantizer) {
  std::set<std::string> known;
  for (const auto& node : quantizer.graph().nodes) known.insert(node.name);
  std::set<std::string> named;
  for (const std::string& name : options.float_layers) {
    if (name == "auto") continue;
    if (!known.contains(name)) {
      const auto meant = nearest_word(name, std::vector(known.begin(), known.end()));
      return fail(ErrorCode::kInvalidInput, "--float-layers: there is no node '{}'{}", name,
                  meant ? fmt::format("; did you mean '{}'?", *meant) : "");
    }
    named.insert(name);
  }
  return named;
}

std::string next_step(const Options& options) {
  if (options.method != "mse") return "try --method mse";
  if (options.float_layers.empty()) return "try --float-layers auto";
  return "try FP16, or train with quantisation in the loop";
}

lab::Gate gate_of(const Options& options, std::span<const std::byte> before, recording::Dataset& validation,
                  std::vector<double> labels) {
  lab::Gate gate{.before = before, .validation = validation, .compare = {}, .max_drop = options.max_drop};
  gate.compare.progress = progress("validated");
  gate.compare.labels = std::move(labels);
  return gate;
}

Result<int> quantize_to_half(const Options& options) {
  const Bytes before = MW_TRY(read_model(options.model));
  (void)MW_TRY_IN(options.model.string(), inference::try_model(before));
  const auto samples = MW_TRY(open_samples(options.calibration, options.format));
  const auto half =
      MW_TRY_IN(options.model.string(), lab::to_half(before, *samples, {.progress = progress("ranges measured")}));
  json report = {{"precision", "fp16"},
                 {"bytes_before", before.size()},
                 {"bytes_after", half.model.size()},
                 {"half_nodes", half.half_nodes},
                 {"left_float", json::array()}};
  for (const auto& node : half.left_float) report["left_float"].push_back({{"node", node.node}, {"why", node.why}});
  bool held = true;
  if (!options.validation.empty()) {
    const auto validation = MW_TRY(open_samples(options.validation, options.format));
    const auto gate = gate_of(options, before, *validation, MW_TRY(labels_of(options.labels, *validation)));
    const auto cost = MW_TRY(lab::compare_models(before, half.model, *validation, gate.compare));
    held = cost.drop <= gate.max_drop;
    report["gate"] = comparison_json(cost);
  }
  report["held"] = held;
  if (held) MW_CHECK_OK(write_file_atomic(options.out, half.model));
  if (options.as_json) {
    fmt::print("{}\n", model::json_line(report));
    return held ? 0 : 1;
  }
  fmt::print("{}: {} bytes, {:.1f} times smaller; {} operators in 16 bits, {} in 32\n", options.out.string(),
             half.model.size(), static_cast<double>(before.size()) / static_cast<double>(half.model.size()),
             half.half_nodes, half.left_float.size());
  for (const auto& node : half.left_float) fmt::print("  {}: {}\n", node.node, node.why);
  print_gate(options, report);
  return held ? 0 : 1;
}

json kernels_json(const lab::KernelCheck& check) {
  json left = json::array();
  for (const auto& one : check.left_float) left.push_back({{"node", one.node}, {"why", one.why}});
  return {{"integer_kernels", check.kernels.integer},
          {"unfused_conv", check.kernels.unfused_conv},
          {"float_kernels", check.kernels.left_float},
          {"missing_kernels", check.missing},
          {"float_kernel_nodes", std::move(left)}};
}

Result<int> quantize(Options& options) {
  if (options.precision == "fp16") return quantize_to_half(options);
  if (options.precision != "int8") {
    return fail(ErrorCode::kInvalidInput, "--precision {}: int8 or fp16", options.precision);
  }
  const auto method = lab::calibration_method(options.method);
  if (!method) {
    return fail(ErrorCode::kInvalidInput, "--method {}: minmax, entropy, percentile or mse", options.method);
  }
  const Bytes before = MW_TRY(read_model(options.model));
  (void)MW_TRY_IN(options.model.string(), inference::try_model(before));
  const auto samples = MW_TRY(open_samples(options.calibration, options.format));
  const auto ranges = MW_TRY_IN(options.model.string(), calibrated(before, *samples, options.format, *method,
                                                                   options.equalize, options.calibration_record));
  const lab::Int8Quantizer& quantizer = ranges.quantizer;
  const auto named = MW_TRY(float_nodes(options, quantizer));
  const bool search = std::ranges::find(options.float_layers, "auto") != options.float_layers.end();
  const auto layers = MW_TRY(lab::layer_errors(quantizer, options.form, *samples));

  json report = {{"method", options.method}, {"calibration_samples", samples->size()}, {"bytes_before", before.size()}};
  report.update({{"calibration_reused", ranges.is_reused},
                 {"calibration_differs", ranges.differs},
                 {"equalized_pairs", quantizer.equalized_pairs()}});
  lab::Gated chosen;
  if (options.validation.empty()) {
    chosen.quantized = MW_TRY(quantizer.quantize(options.form, named));
    chosen.held = true;
  } else {
    const auto validation = MW_TRY(open_samples(options.validation, options.format));
    const auto gate = gate_of(options, before, *validation, MW_TRY(labels_of(options.labels, *validation)));
    chosen = search ? MW_TRY(lab::search_float_layers(quantizer, options.form, layers, gate))
                    : MW_TRY(lab::judge(quantizer, options.form, named, gate));
    report["gate"] = comparison_json(chosen.cost);
    if (!chosen.held) report["next"] = next_step(options);
  }
  const auto check = MW_TRY(lab::check_kernels(chosen.quantized));
  // What is written for TensorRT is no integer kernel on a CPU wherever a Relu follows.
  const bool is_sound = check.missing == 0 || options.keep_float_kernels || options.form.symmetric_activations;
  report.update({{"held", chosen.held},
                 {"bytes_after", chosen.quantized.model.size()},
                 {"quantizable", chosen.quantized.plan.weighted.size()},
                 {"float_layers", chosen.float_nodes}});
  report.update(kernels_json(check));
  report["layers"] = json::array();
  for (const auto& layer : layers) {
    report["layers"].push_back(
        {{"node", layer.node}, {"op", layer.op}, {"sqnr_db", layer.sqnr_db}, {"gain_db", layer.gain_db}});
  }
  const bool is_good = chosen.held && is_sound;
  if (is_good) {
    MW_CHECK_OK(write_file_atomic(options.out, chosen.quantized.model));
    MW_CHECK_OK(write_calibration(options.out, ranges.record));
  }
  if (options.as_json) {
    fmt::print("{}\n", model::json_line(report));
  } else {
    print_report(options, report);
  }
  return is_good ? 0 : 1;
}

}  // namespace

Command quantize_command(CLI::App& program) {
  auto options = std::make_shared<Options>();
  CLI::App* app = program.add_subcommand(
      "quantize",
      "make a model small and fast, and prove that it is as good (exit 1 where it is not: nothing written)");
  app->add_option("model", options->model, "a .onnx file in float")->required();
  app->add_option("--calibration", options->calibration, kSamplesHelp)->required();
  app->add_option("--calibration-record", options->calibration_record,
                  "a file that keeps what calibration finds: used in its place where it fits, written else");
  options->format.add_to(*app);
  app->add_option("--method", options->method, "minmax, entropy, percentile or mse")->capture_default_str();
  app->add_option("--precision", options->precision, "int8 or fp16")->capture_default_str();
  app->add_option("--validation", options->validation, "samples for the gate");
  app->add_option("--labels", options->labels, "their labels, one a line");
  app->add_option("--max-drop", options->max_drop, "points that the gate lets go")->capture_default_str();
  app->add_option("--float-layers", options->float_layers,
                  "layers that stay in float, by node name; 'auto' finds those that the gate needs")
      ->delimiter(',');
  app->add_flag("--equalize", options->equalize,
                "first bring the weights of neighbouring layers to the same size, channel by channel; the gate says "
                "whether it helps");
  app->add_flag("--symmetric-activations", options->form.symmetric_activations,
                "as TensorRT wants them; slower on a CPU");
  app->add_flag("--full-weights", options->form.full_weights,
                "for processors with VNNI or ARM's dot product only: a little more accurate there, wrong elsewhere");
  app->add_flag("--keep-float-kernels", options->keep_float_kernels,
                "write the model also where this machine's runtime keeps float kernels for quantised layers");
  app->add_option("--out", options->out, "the quantised model")->required();
  app->add_flag("--json", options->as_json, "one JSON object");
  return {app, [options] { return quantize(*options); }};
}

}  // namespace millwright::apps
