// SPDX-License-Identifier: Apache-2.0
#include "lab/score.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "lab/run_model.h"

namespace millwright::lab {
namespace {

double rounded(double value, double steps) { return std::round(value * steps) / steps; }

Status check_rate(const model::Bundle& bundle, const WindowSet& windows) {
  const double want = bundle.features.rate_hz;
  if (want > 0.0 && windows.rate_hz > 0.0 && std::abs(windows.rate_hz / want - 1.0) > 1e-3) {
    return fail(ErrorCode::kInvalidInput, "{}: has {} Hz, but the bundle was trained at {} Hz",
                windows.files.front().string(), windows.rate_hz, want);
  }
  return {};
}

}  // namespace

Result<std::vector<ScoredWindow>> score(const model::Bundle& bundle, const ScoreOptions& options) {
  CutOptions cut{.reading = options.reading, .window = bundle.features.length, .hop = options.hop, .resample = {}};
  if (bundle.features.rate_hz == 0.0) {
    cut.window.reset();
    cut.resample = bundle.features.length;
  }
  const WindowSet windows = MW_TRY(load_windows(options.recordings, cut));
  MW_CHECK_OK(check_rate(bundle, windows));
  return score_windows(bundle, windows);
}

Result<std::vector<ScoredWindow>> score_windows(const model::Bundle& bundle, const WindowSet& windows) {
  const std::vector<float> features = MW_TRY(extract_features(bundle.features, windows));
  const Eigen::Map<const Rows> rows(features.data(), static_cast<Eigen::Index>(windows.size()),
                                    static_cast<Eigen::Index>(bundle.features.feature_count()));
  const ModelRun run = MW_TRY(run_model(bundle, rows));

  std::vector<ScoredWindow> scored;
  scored.reserve(windows.size());
  for (size_t i = 0; i < windows.size(); ++i) {
    const Origin& origin = windows.origins[i];
    ScoredWindow w{.file = windows.files[origin.file],
                   .window = origin.index,
                   .start_s = origin.start_s,
                   .raw = run.raw[i],
                   .score = bundle.threshold.score01(run.raw[i]),
                   .is_alert = bundle.threshold.is_alert(run.raw[i]),
                   .severity = bundle.threshold.severity(run.raw[i]),
                   .top = {}};
    if (run.contributions.size() > 0) {
      const auto row = static_cast<Eigen::Index>(i);
      w.top = model::top_features({run.contributions.row(row).data(), static_cast<size_t>(run.contributions.cols())});
    }
    scored.push_back(w);
  }
  return scored;
}

std::string to_json_line(const ScoredWindow& window, const std::vector<std::string>& feature_names) {
  nlohmann::ordered_json top = nlohmann::ordered_json::array();
  for (size_t i = 0; i < window.top.count; ++i) {
    const model::TopFeature& item = window.top.items[i];
    const std::string feature =
        item.feature < feature_names.size() ? feature_names[item.feature] : fmt::format("feature {}", item.feature);
    top.push_back({{"feature", feature}, {"share", rounded(item.share, 1e4)}});
  }
  const nlohmann::ordered_json line = {{"file", window.file.string()},
                                       {"window", window.window},
                                       {"start_s", rounded(window.start_s, 1e6)},
                                       {"score", rounded(window.score, 1e4)},
                                       {"is_alert", window.is_alert},
                                       {"severity", std::string(model::name(window.severity))},
                                       {"top", top}};
  return line.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace millwright::lab
