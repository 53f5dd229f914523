// SPDX-License-Identifier: Apache-2.0
#include "lab/score.h"

#include <cstdio>
#include <memory>

#include "apps/millwright/command.h"
#include "apps/millwright/open_bundle.h"
#include "apps/millwright/reading_flags.h"

namespace millwright::apps {
namespace {

struct Options {
  std::filesystem::path bundle;
  std::vector<std::filesystem::path> paths;
  ReadingFlags reading;
  size_t hop = 0;
  bool as_json = false;
};

void print_text(const lab::ScoredWindow& window, const std::vector<std::string>& names) {
  std::string top;
  for (uint8_t i = 0; i < window.top.count; ++i) {
    const auto& item = window.top.items[i];
    top +=
        fmt::format("{}{} {:.0f} %", i == 0 ? "" : ", ", names[item.feature], 100.0 * static_cast<double>(item.share));
  }
  fmt::print("{} window {:<6} {:>10.3f} s  score {:.4f}  {}{:<8}  {}\n", window.file.string(), window.window,
             window.start_s, window.score, window.is_alert ? "ALERT " : "      ", name(window.severity), top);
}

Result<int> score(const Options& options) {
  const model::LoadedBundle loaded = MW_TRY(open_bundle(options.bundle));
  lab::ScoreOptions scoring{
      .recordings = options.paths, .reading = options.reading.options(), .hop = if_given(options.hop)};
  const auto windows = MW_TRY(lab::score(loaded.bundle, scoring));
  const auto names = loaded.bundle.features.feature_names();
  for (const lab::ScoredWindow& window : windows) {
    if (options.as_json) {
      fmt::print("{}\n", lab::to_json_line(window, names));
    } else {
      print_text(window, names);
    }
  }
  return 0;
}

}  // namespace

Command score_command(CLI::App& program) {
  auto options = std::make_shared<Options>();
  CLI::App* app = program.add_subcommand("score", "judge recordings with a bundle, window by window");
  app->add_option("bundle", options->bundle, "the bundle")->required();
  app->add_option("paths", options->paths, "files or folders to judge")->required();
  app->add_option("--hop", options->hop, "samples from window to window (default: the window)")
      ->check(CLI::PositiveNumber);
  app->add_flag("--json", options->as_json, "one JSON line per window");
  options->reading.add_to(*app);
  return {app, [options] { return score(*options); }};
}

}  // namespace millwright::apps
