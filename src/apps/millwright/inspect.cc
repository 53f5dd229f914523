// SPDX-License-Identifier: Apache-2.0
#include <cstdio>
#include <memory>

#include <nlohmann/json.hpp>

#include "apps/millwright/command.h"
#include "base/files.h"
#include "model/bundle.h"
#include "model/json_fields.h"
#include "onnx/model.h"

namespace millwright::apps {
namespace {

using nlohmann::json;

struct Options {
  std::string file;
  bool as_json = false;
};

std::string shape_text(const onnx::Shape& shape) {
  std::string text;
  for (const onnx::Dim& dim : shape)
    text += (text.empty() ? "" : ", ") + (dim.name.empty() ? std::to_string(dim.size) : dim.name);
  return "(" + text + ")";
}

json values_json(const std::vector<onnx::ValueInfo>& values) {
  json list = json::array();
  for (const auto& value : values) {
    list.push_back({{"name", value.name}, {"type", onnx::name(value.type)}, {"shape", shape_text(value.shape)}});
  }
  return list;
}

json model_json(const onnx::Summary& summary, const Digest& digest) {
  return {{"kind", "onnx"},
          {"sha256", digest.hex()},
          {"ir_version", summary.ir_version},
          {"opsets", summary.opsets},
          {"producer", summary.producer},
          {"graph", summary.graph_name},
          {"inputs", values_json(summary.inputs)},
          {"outputs", values_json(summary.outputs)},
          {"operators", summary.operators},
          {"nodes", summary.nodes},
          {"parameters", summary.parameters},
          {"parameter_bytes", summary.parameter_bytes},
          {"metadata", summary.metadata}};
}

Result<json> bundle_json(const Bytes& bytes) {
  const model::Bundle bundle = MW_TRY(model::decode_bundle(bytes));
  const onnx::Model model = MW_TRY(onnx::Model::parse(bundle.model));
  const model::Threshold& t = bundle.threshold;
  const model::Lineage& l = bundle.lineage;
  return json{{"kind", "bundle"},
              {"sha256", sha256(bytes).hex()},
              {"bytes", bytes.size()},
              {"name", bundle.name},
              {"features", json::parse(bundle.features.to_json())},
              {"feature_count", bundle.features.feature_count()},
              {"threshold",
               {{"raw", t.threshold},
                {"ci95", {t.ci95_low, t.ci95_high}},
                {"high", t.high},
                {"critical", t.critical},
                {"false_alarm_rate", t.false_alarm_rate},
                {"held_out_windows", t.held_out_windows},
                {"method", t.method}}},
              {"golden_vectors", bundle.golden.expected.size()},
              {"report", bundle.report},
              {"lineage",
               {{"created_utc", l.created_utc},
                {"tool", l.tool},
                {"detector", l.detector},
                {"data_digest", l.data_digest},
                {"parent", l.parent},
                {"seed", l.seed},
                {"training_windows", l.training_windows}}},
              {"model", model_json(model.summary(), sha256(bundle.model))}};
}

// A model's own words may hold anything, also what moves a terminal's cursor.
std::string printable(std::string text) {
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) c = '?';
  }
  return text;
}

void print_tree(const json& value, size_t depth) {
  for (const auto& [key, member] : value.items()) {
    const std::string indent(2 * depth, ' ');
    if (member.is_object() && !member.empty()) {
      fmt::print("{}{}\n", indent, key);
      print_tree(member, depth + 1);
    } else {
      fmt::print("{}{:<{}} {}\n", indent, key, 26 - std::min<size_t>(2 * depth, 20),
                 printable(member.is_string() ? member.get<std::string>() : model::json_line(member)));
    }
  }
}

Result<int> inspect(const Options& options) {
  const Bytes bytes = MW_TRY(read_file(options.file, model::kMaxBundleBytes));
  const bool is_bundle = as_text(bytes).starts_with("MWBUNDLE");
  json found;
  if (is_bundle) {
    found = MW_TRY_IN(options.file, bundle_json(bytes));
  } else {
    const onnx::Model model = MW_TRY_IN(options.file, onnx::Model::parse(bytes));
    found = model_json(model.summary(), sha256(bytes));
  }
  if (options.as_json) {
    fmt::print("{}\n", model::json_line(found));
  } else {
    print_tree(found, 0);
  }
  return 0;
}

}  // namespace

Command inspect_command(CLI::App& program) {
  auto options = std::make_shared<Options>();
  CLI::App* app = program.add_subcommand("inspect", "show what a bundle or an ONNX model holds");
  app->add_option("file", options->file, "a .bundle or .onnx file")->required();
  app->add_flag("--json", options->as_json, "one JSON object");
  return {app, [options] { return inspect(*options); }};
}

}  // namespace millwright::apps
