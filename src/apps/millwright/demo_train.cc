// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <cstdio>

#include "apps/millwright/demo.h"
#include "base/files.h"
#include "lab/train.h"

namespace millwright::apps {

Status train_press(const std::string& name, const std::filesystem::path& recordings, double rate_hz, size_t window,
                   const std::filesystem::path& bundle) {
  lab::TrainOptions options;
  options.recordings = {recordings};
  options.name = name;
  options.tool = "millwright " MILLWRIGHT_VERSION;
  if (rate_hz > 0.0) options.cut.reading.rate_hz = rate_hz;
  options.cut.window = window;
  if (::isatty(STDERR_FILENO) == 1) {
    options.progress = [&name](size_t done, size_t total, std::string_view step) {
      fmt::print(stderr, "\r\033[K  {}: {}/{} {}", name, done, total, step);
      std::fflush(stderr);
    };
  }
  const model::Bundle trained = MW_TRY(lab::train(options));
  MW_CHECK_OK(write_file_atomic(bundle, MW_TRY(model::encode_bundle(trained))));
  const model::Threshold& t = trained.threshold;
  fmt::print(stderr, "{}  {}: {} windows, {}, threshold {:.4g} ({:.4g} to {:.4g}) at {:g} false alarms a stroke\n",
             options.progress ? "\r\033[K" : "", name, trained.lineage.training_windows, trained.lineage.detector,
             t.threshold, t.ci95_low, t.ci95_high, t.false_alarm_rate);
  return {};
}

}  // namespace millwright::apps
