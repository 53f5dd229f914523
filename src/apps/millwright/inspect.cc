// SPDX-License-Identifier: Apache-2.0
#include <cstdio>
#include <memory>

#include <nlohmann/json.hpp>

#include "apps/millwright/command.h"
#include "apps/millwright/inspect_model.h"
#include "base/files.h"
#include "model/bundle.h"
#include "model/json_fields.h"

namespace millwright::apps {
namespace {

using nlohmann::json;

struct Options {
  std::string file;
  std::string provider = "cpu";
  bool nodes = false;
  bool as_json = false;
};

Result<json> bundle_json(const Bytes& bytes, const inference::Rung& rung) {
  const model::Bundle bundle = MW_TRY(model::decode_bundle(bytes));
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
              {"model", MW_TRY(model_json(bundle.model, rung))}};
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

// The file's own words as a tree; what was found out about the model below it.
void print_text(json found, bool is_bundle, bool nodes) {
  json& model = is_bundle ? found["model"] : found;
  const json whole = model;
  for (const char* key : {"dynamic_inputs", "memory", "multiply_adds", "node_list", "runtime", "uncounted_nodes"}) {
    model.erase(key);
  }
  print_tree(found, 0);
  fmt::print("{}", work_text(whole));
  if (nodes) fmt::print("\n{}", node_tables(whole));
}

Result<int> inspect(const Options& options) {
  const Bytes bytes = MW_TRY(read_file(options.file, model::kMaxBundleBytes));
  const bool is_bundle = as_text(bytes).starts_with("MWBUNDLE");
  const inference::Rung rung{.provider = MW_TRY_IN("--provider", inference::parse_provider(options.provider))};
  const json found =
      is_bundle ? MW_TRY_IN(options.file, bundle_json(bytes, rung)) : MW_TRY_IN(options.file, model_json(bytes, rung));
  if (options.as_json) {
    fmt::print("{}\n", model::json_line(found));
  } else {
    print_text(found, is_bundle, options.nodes);
  }
  return 0;
}

}  // namespace

Command inspect_command(CLI::App& program) {
  auto options = std::make_shared<Options>();
  CLI::App* app = program.add_subcommand(
      "inspect",
      "show what a bundle or an ONNX model holds, what one run of it asks, and what the runtime makes of it here");
  app->add_option("file", options->file, "a .bundle or .onnx file")->required();
  app->add_flag("--nodes", options->nodes, "a line for each node, and for each kernel that the runtime makes of them");
  app->add_option("--provider", options->provider, "who is asked to run it: cpu, openvino, cuda or tensorrt")
      ->capture_default_str();
  app->add_flag("--json", options->as_json, "one JSON object");
  return {app, [options] { return inspect(*options); }};
}

}  // namespace millwright::apps
