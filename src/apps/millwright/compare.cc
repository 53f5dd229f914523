// SPDX-License-Identifier: Apache-2.0
#include "lab/compare.h"

#include <memory>

#include <nlohmann/json.hpp>

#include "apps/millwright/command.h"
#include "apps/millwright/samples.h"
#include "model/json_fields.h"

namespace millwright::apps {
namespace {

struct Compared {
  std::filesystem::path a;
  std::filesystem::path b;
  std::filesystem::path data;
  std::filesystem::path labels;
  SampleFormat format;
  bool as_json = false;
};

Result<int> compare(const Compared& what) {
  const Bytes a = MW_TRY(read_model(what.a));
  const Bytes b = MW_TRY(read_model(what.b));
  const auto samples = MW_TRY(open_samples(what.data, what.format));
  lab::CompareOptions options;
  options.progress = progress("compared");
  options.labels = MW_TRY(labels_of(what.labels, *samples));
  const auto comparison = MW_TRY(lab::compare_models(a, b, *samples, options));
  if (what.as_json) {
    fmt::print("{}\n", model::json_line(comparison_json(comparison)));
  } else {
    fmt::print("{} {:.4g} and {:.4g} of {} samples: drop {:.4g} (95 % interval {:.4g} to {:.4g})\n",
               lab::name(comparison.metric), comparison.metric_a, comparison.metric_b, comparison.n, comparison.drop,
               comparison.drop_ci95.low, comparison.drop_ci95.high);
    fmt::print("the same on {:.2f} % of samples; largest difference of an output {:.4g}\n",
               100.0 * comparison.agreement, comparison.max_abs_diff);
  }
  return 0;
}

}  // namespace

Command compare_command(CLI::App& program) {
  auto options = std::make_shared<Compared>();
  CLI::App* app = program.add_subcommand("compare", "two models on the same samples: what a change has cost");
  app->add_option("a", options->a, "the model before")->required();
  app->add_option("b", options->b, "the model after")->required();
  app->add_option("--data", options->data, kSamplesHelp)->required();
  options->format.add_to(*app);
  app->add_option("--labels", options->labels, "their labels, one a line");
  app->add_flag("--json", options->as_json, "one JSON object");
  return {app, [options] { return compare(*options); }};
}

}  // namespace millwright::apps
