// SPDX-License-Identifier: Apache-2.0
#include <memory>

#include "apps/millwright/command.h"
#include "edge/windows/window_export.h"

namespace millwright::apps {
namespace {

struct Options {
  std::filesystem::path folder;
  std::filesystem::path out;
};

Result<int> list(const Options& options) {
  constexpr const char* kClasses[] = {"normal", "anomalous", "unlabelled"};
  for (const edge::KeptWindow& window : MW_TRY(edge::list_windows(options.folder))) {
    fmt::print("{:>12}  {}  {:<6}  {:<8}  score {:<7.4f}  label {:<8}  {}\n", window.stroke_id, window.timestamp,
               edge::name(window.why), window.verdict, window.score, window.label.empty() ? "-" : window.label,
               kClasses[static_cast<size_t>(edge::class_of(window))]);
  }
  return 0;
}

Result<int> write(const Options& options) {
  const edge::ExportReport report = MW_TRY(edge::export_windows(options.folder, options.out));
  fmt::print("{}: {} normal, {} anomalous, {} unlabelled\n", options.out.string(), report.normal, report.anomalous,
             report.unlabelled);
  if (report.gone > 0) fmt::print("{} were given up meanwhile, or cannot be read\n", report.gone);
  const std::string out = options.out.string();
  if (report.normal > 0) {
    fmt::print("train:    millwright train --recordings {}/normal{} --out NEW.bundle\n", out,
               report.rate_hz > 0.0 ? fmt::format(" --rate {}", report.rate_hz) : "");
  }
  if (report.normal > 0 && report.anomalous > 0) {
    fmt::print("evaluate: millwright evaluate BUNDLE --normal {}/normal --anomalous {}/anomalous\n", out, out);
  }
  fmt::print(
      "labels come from the operator's page (true: anomalous, nuisance: normal); the normal sample needs none\n");
  return 0;
}

}  // namespace

Command windows_command(CLI::App& program) {
  auto options = std::make_shared<Options>();
  CLI::App* const app =
      program.add_subcommand("windows", "list or export the windows that an agent has kept (STATE/windows/ASSET)");
  app->require_subcommand(1);
  CLI::App* const shown = app->add_subcommand("list", "one line for each");
  CLI::App* const written = app->add_subcommand("export", "a labelled set as folders that train and evaluate take");
  for (CLI::App* const each : {shown, written}) {
    each->add_option("folder", options->folder, "STATE/windows/ASSET")->required();
  }
  written->add_option("--out", options->out, "the folder to write")->required();
  return {app, [options, shown] { return shown->parsed() ? list(*options) : write(*options); }};
}

}  // namespace millwright::apps
