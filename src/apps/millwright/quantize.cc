// SPDX-License-Identifier: Apache-2.0
#include "lab/quantize.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <optional>

#include <nlohmann/json.hpp>

#include "apps/millwright/command.h"
#include "base/digest.h"
#include "base/files.h"
#include "base/nearest_word.h"
#include "inference/optimised.h"
#include "inference/trial.h"
#include "lab/calibration_record.h"
#include "lab/compare.h"
#include "lab/float_layers.h"
#include "lab/labels.h"
#include "model/json_fields.h"
#include "recording/image.h"

namespace millwright::apps {
namespace {

using nlohmann::json;

constexpr uint64_t kMaxModelBytes = 512ULL << 20;

struct Options {
  std::filesystem::path model;
  std::filesystem::path calibration;
  std::filesystem::path validation;
  std::filesystem::path labels;
  std::filesystem::path out;
  std::string preprocess;
  std::string method = "entropy";
  double max_drop = 1.5;
  std::vector<std::string> float_layers;
  lab::QdqForm form;
  bool as_json = false;
};

// A line on a terminal that is written over; nothing where nobody looks.
std::function<void(size_t, size_t)> progress(const char* what) {
  if (::isatty(STDERR_FILENO) == 0) return {};
  return [what](size_t done, size_t all) {
    if (done != all && done % std::max<size_t>(all / 100, 1) != 0) return;
    fmt::print(stderr, "\r{} {} of {}{}", what, done, all, done == all ? "\n" : "");
    std::fflush(stderr);
  };
}

json to_json(const lab::Comparison& comparison) {
  return {{"metric", lab::name(comparison.metric)},
          {"n", comparison.n},
          {"metric_a", comparison.metric_a},
          {"metric_b", comparison.metric_b},
          {"drop", comparison.drop},
          {"drop_ci95", {comparison.drop_ci95.low, comparison.drop_ci95.high}},
          {"agreement", comparison.agreement},
          {"max_abs_diff", comparison.max_abs_diff}};
}

Result<Bytes> read_model(const std::filesystem::path& path) {
  Bytes bytes = MW_TRY(read_file(path, kMaxModelBytes));
  (void)MW_TRY_IN(path.string(), onnx::Model::parse(bytes));
  return bytes;
}

// An array, or a folder of pictures.
Result<std::unique_ptr<recording::Dataset>> open_samples(const std::filesystem::path& path,
                                                         const std::string& preprocess) {
  if (!std::filesystem::is_directory(path)) return recording::open_dataset(path);
  return recording::open_image_folder(path, MW_TRY(recording::parse_preprocess(preprocess)));
}

// Out of a file, or from the samples themselves.
Result<std::vector<double>> labels_of(const std::filesystem::path& path, const recording::Dataset& samples) {
  if (!path.empty()) return lab::read_labels(path, samples.size());
  return std::vector<double>(samples.labels().begin(), samples.labels().end());
}

struct Compared {
  std::filesystem::path a;
  std::filesystem::path b;
  std::filesystem::path data;
  std::filesystem::path labels;
  std::string preprocess;
  bool as_json = false;
};

Result<int> compare(const Compared& what) {
  const Bytes a = MW_TRY(read_model(what.a));
  const Bytes b = MW_TRY(read_model(what.b));
  const auto samples = MW_TRY(open_samples(what.data, what.preprocess));
  lab::CompareOptions options;
  options.progress = progress("compared");
  options.labels = MW_TRY(labels_of(what.labels, *samples));
  const auto comparison = MW_TRY(lab::compare_models(a, b, *samples, options));
  if (what.as_json) {
    fmt::print("{}\n", model::json_line(to_json(comparison)));
  } else {
    fmt::print("{} {:.4g} and {:.4g} of {} samples: drop {:.4g} (95 % interval {:.4g} to {:.4g})\n",
               lab::name(comparison.metric), comparison.metric_a, comparison.metric_b, comparison.n, comparison.drop,
               comparison.drop_ci95.low, comparison.drop_ci95.high);
    fmt::print("the same on {:.2f} % of samples; largest difference of an output {:.4g}\n",
               100.0 * comparison.agreement, comparison.max_abs_diff);
  }
  return 0;
}

void print_report(const Options& options, const json& report) {
  fmt::print("{}: {} bytes, {:.1f} times smaller; {} of {} layers are integer kernels\n", options.out.string(),
             report["bytes_after"].get<size_t>(),
             static_cast<double>(report["bytes_before"].get<size_t>()) / report["bytes_after"].get<double>(),
             report["integer_kernels"].get<size_t>(), report["layers"].size());
  fmt::print("worst layers (signal to noise; what the output gains where this one stays in float):\n");
  constexpr size_t kShown = 5;
  for (size_t i = 0; i < std::min(kShown, report["layers"].size()); ++i) {
    const json& layer = report["layers"][i];
    fmt::print("  {:<40} {:6.1f} dB  {:+6.2f} dB\n", layer["node"].get<std::string>(), layer["sqnr_db"].get<double>(),
               layer["gain_db"].get<double>());
  }
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

Status write_results(const Options& options, const lab::Quantized& quantized, const lab::CalibrationRecord& record) {
  MW_CHECK_OK(write_file_atomic(options.out, quantized.model));
  const std::string stem = options.out.string();
  MW_CHECK_OK(write_file_atomic(stem + ".calibration.json", lab::to_json(record)));
  return write_file_atomic(stem + ".calibration.cache", lab::tensorrt_cache(record));
}

Result<int> quantize(Options& options) {
  const auto method = lab::calibration_method(options.method);
  if (!method) {
    return fail(ErrorCode::kInvalidInput, "--method {}: minmax, entropy, percentile or mse", options.method);
  }
  const Bytes before = MW_TRY(read_model(options.model));
  (void)MW_TRY_IN(options.model.string(), inference::try_model(before));
  const auto samples = MW_TRY(open_samples(options.calibration, options.preprocess));
  const auto quantizer =
      MW_TRY_IN(options.model.string(),
                lab::Int8Quantizer::create(before, *samples, {.method = *method, .progress = progress("calibrated")}));
  const auto named = MW_TRY(float_nodes(options, quantizer));
  const bool search = std::ranges::find(options.float_layers, "auto") != options.float_layers.end();
  const auto layers = MW_TRY(lab::layer_errors(quantizer, options.form, *samples));

  json report = {{"method", options.method}, {"calibration_samples", samples->size()}, {"bytes_before", before.size()}};
  lab::Gated chosen;
  if (options.validation.empty()) {
    chosen.quantized = MW_TRY(quantizer.quantize(options.form, named));
    chosen.held = true;
  } else {
    const auto validation = MW_TRY(open_samples(options.validation, options.preprocess));
    lab::Gate gate{.before = before, .validation = *validation, .compare = {}, .max_drop = options.max_drop};
    gate.compare.progress = progress("validated");
    gate.compare.labels = MW_TRY(labels_of(options.labels, *validation));
    chosen = search ? MW_TRY(lab::search_float_layers(quantizer, options.form, layers, gate))
                    : MW_TRY(lab::judge(quantizer, options.form, named, gate));
    report["gate"] = to_json(chosen.cost);
    if (!chosen.held) report["next"] = next_step(options);
  }
  const auto kernels = MW_TRY(inference::kernels(chosen.quantized.model));
  report.update({{"held", chosen.held},
                 {"bytes_after", chosen.quantized.model.size()},
                 {"integer_kernels", kernels.integer},
                 {"quantizable", chosen.quantized.plan.weighted.size()},
                 {"unfused_conv", kernels.unfused_conv},
                 {"float_kernels", kernels.left_float},
                 {"float_layers", chosen.float_nodes}});
  report["layers"] = json::array();
  for (const auto& layer : layers) {
    report["layers"].push_back(
        {{"node", layer.node}, {"op", layer.op}, {"sqnr_db", layer.sqnr_db}, {"gain_db", layer.gain_db}});
  }
  if (chosen.held) {
    const lab::CalibrationRecord record{.key = {.model_digest = sha256(before).hex(),
                                                .data_digest = MW_TRY(samples->digest()),
                                                .method = options.method,
                                                .tool_version = MILLWRIGHT_VERSION},
                                        .ranges = quantizer.ranges()};
    MW_CHECK_OK(write_results(options, chosen.quantized, record));
  }
  if (options.as_json) {
    fmt::print("{}\n", model::json_line(report));
  } else {
    print_report(options, report);
  }
  return chosen.held ? 0 : 1;
}

}  // namespace

Command quantize_command(CLI::App& program) {
  auto options = std::make_shared<Options>();
  CLI::App* app = program.add_subcommand(
      "quantize",
      "make a model small and fast, and prove that it is as good (exit 1 where it is not: nothing written)");
  app->add_option("model", options->model, "a .onnx file in float")->required();
  app->add_option("--calibration", options->calibration, "samples: .npy, n first, or a folder of pictures")->required();
  app->add_option("--preprocess", options->preprocess,
                  "of pictures: size=WxH,layout=nchw,range=0:1,mean=0:0:0,std=1:1:1");
  app->add_option("--method", options->method, "minmax, entropy, percentile or mse")->capture_default_str();
  app->add_option("--validation", options->validation, "samples for the gate");
  app->add_option("--labels", options->labels, "their labels, one a line");
  app->add_option("--max-drop", options->max_drop, "points that the gate lets go")->capture_default_str();
  app->add_option("--float-layers", options->float_layers,
                  "layers that stay in float, by node name; 'auto' finds those that the gate needs")
      ->delimiter(',');
  app->add_flag("--symmetric-activations", options->form.symmetric_activations,
                "as TensorRT wants them; slower on a CPU");
  app->add_flag("--full-weights", options->form.full_weights,
                "for processors with VNNI or ARM's dot product only: a little more accurate there, wrong elsewhere");
  app->add_option("--out", options->out, "the quantised model")->required();
  app->add_flag("--json", options->as_json, "one JSON object");
  return {app, [options] { return quantize(*options); }};
}

Command compare_command(CLI::App& program) {
  auto options = std::make_shared<Compared>();
  CLI::App* app = program.add_subcommand("compare", "two models on the same samples: what a change has cost");
  app->add_option("a", options->a, "the model before")->required();
  app->add_option("b", options->b, "the model after")->required();
  app->add_option("--data", options->data, "samples: .npy, n first, or a folder of pictures")->required();
  app->add_option("--preprocess", options->preprocess, "of pictures, as quantize takes it");
  app->add_option("--labels", options->labels, "their labels, one a line");
  app->add_flag("--json", options->as_json, "one JSON object");
  return {app, [options] { return compare(*options); }};
}

}  // namespace millwright::apps
