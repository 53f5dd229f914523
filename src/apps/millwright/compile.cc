// SPDX-License-Identifier: Apache-2.0
#include "inference/compile.h"

#include <algorithm>
#include <memory>

#include <nlohmann/json.hpp>

#include "apps/millwright/command.h"
#include "apps/millwright/samples.h"
#include "inference/session.h"
#include "model/bundle.h"
#include "model/json_fields.h"

namespace millwright::apps {
namespace {

using nlohmann::json;

struct Options {
  std::filesystem::path model;
  std::string profile;
  std::filesystem::path out;
  int64_t deadline_s = 1'800;
  bool as_json = false;
};

json compile_rung(const Bytes& model, const inference::Rung& rung, const Options& options) {
  json one = {{"provider", inference::runtime_name(rung.provider)}};
  const auto compiled =
      inference::compile(model, rung, {.root = options.out, .deadline = std::chrono::seconds(options.deadline_s)});
  one["built"] = compiled.has_value();
  if (compiled) {
    one.update({{"folder", compiled->folder.filename().string()},
                {"build_s", compiled->build_s},
                {"load_ms", compiled->load_ms},
                {"built_load_ms", compiled->built_load_ms}});
  } else {
    one["why"] = compiled.error().message;
  }
  return one;
}

void print_text(const Options& options, const json& report) {
  for (const json& rung : report["rungs"]) {
    if (rung["built"].get<bool>()) {
      fmt::print("{}: {} built in {:.2f} s; loads in {:.1f} ms (before: {:.1f} ms)\n",
                 rung["provider"].get<std::string>(), (options.out / rung["folder"].get<std::string>()).string(),
                 rung["build_s"].get<double>(), rung["built_load_ms"].get<double>(), rung["load_ms"].get<double>());
    } else {
      fmt::print("{}: nothing was built: {}\n", rung["provider"].get<std::string>(), rung["why"].get<std::string>());
    }
  }
}

Result<int> compile(const Options& options) {
  const auto profile = MW_TRY(inference::find_profile(options.profile));
  const bool is_bundle = options.model.extension() == ".bundle";
  const Bytes model =
      is_bundle ? MW_TRY(model::load_bundle(options.model)).bundle.model : MW_TRY(read_model(options.model));
  std::error_code error;
  std::filesystem::create_directories(options.out, error);
  if (error) return fail(ErrorCode::kIo, "{}: cannot make the folder: {}", options.out.string(), error.message());
  json rungs = json::array();
  for (const inference::Rung& rung : profile.rungs) rungs.push_back(compile_rung(model, rung, options));
  const bool all = std::ranges::all_of(rungs, [](const json& rung) { return rung["built"].get<bool>(); });
  const json report = {{"model", sha256(model).hex()},
                       {"profile", options.profile},
                       {"runtime", inference::runtime_version()},
                       {"complete", all},
                       {"rungs", std::move(rungs)}};
  MW_CHECK_OK(write_file_atomic(options.out / "compiled.json", report.dump(2) + "\n"));
  if (options.as_json) {
    fmt::print("{}\n", model::json_line(report));
  } else {
    print_text(options, report);
  }
  return all ? 0 : 1;
}

}  // namespace

Command compile_command(CLI::App& program) {
  auto options = std::make_shared<Options>();
  CLI::App* app = program.add_subcommand(
      "compile", "build on this machine what a device profile's providers want (exit 1 where one could not)");
  app->add_option("model", options->model, "a .onnx file, or a .bundle")->required();
  app->add_option("--profile", options->profile,
                  "jetson-agx-orin-int8, intel-nuc-openvino, x86-64-cpu-int8 or rpi-cm4-cpu")
      ->required();
  app->add_option("--out", options->out, "folder; an agent finds it as [inference] cache")->required();
  app->add_option("--deadline", options->deadline_s, "seconds that one engine may take")
      ->check(CLI::Range(1, 86'400))
      ->capture_default_str();
  app->add_flag("--json", options->as_json, "one JSON object");
  return {app, [options] { return compile(*options); }};
}

}  // namespace millwright::apps
