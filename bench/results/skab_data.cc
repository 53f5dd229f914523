// SPDX-License-Identifier: Apache-2.0
#include "skab_data.h"

#include <algorithm>
#include <string_view>

#include "recording/recording.h"

namespace millwright::results {
namespace {

// Half of each folder, drawn by lot (numpy.random.default_rng(2), folder by folder).
constexpr std::string_view kDevelopment[] = {"other/1.csv",   "other/11.csv",  "other/3.csv",   "other/4.csv",
                                             "other/6.csv",   "other/7.csv",   "valve1/0.csv",  "valve1/11.csv",
                                             "valve1/12.csv", "valve1/13.csv", "valve1/15.csv", "valve1/2.csv",
                                             "valve1/8.csv",  "valve1/9.csv",  "valve2/1.csv",  "valve2/3.csv"};

}  // namespace

bool Experiment::is_development() const { return std::ranges::find(kDevelopment, name) != std::end(kDevelopment); }

Result<std::vector<Experiment>> load_skab(const std::filesystem::path& folder) {
  std::vector<Experiment> experiments;
  for (const char* group : {"other", "valve1", "valve2"}) {
    for (const auto& path : MW_TRY(recording::list_recordings(folder / group))) {
      recording::ReadOptions channels;
      channels.skip_columns = {"anomaly", "changepoint"};
      const recording::Recording r = MW_TRY(recording::read_recording(path, channels));
      recording::ReadOptions label;
      label.columns = {"anomaly"};
      const recording::Recording truth = MW_TRY(recording::read_recording(path, label));
      if (r.channels != 8 || r.length != truth.length || r.length <= kSkabTrainRows) {
        return fail(ErrorCode::kCorrupt, "{}: {} channels x {} rows are not an experiment", path.string(), r.channels,
                    r.length);
      }
      Experiment e{.name = std::string(group) + "/" + path.filename().string(), .rows = {}, .anomalous = {}};
      e.rows =
          Eigen::Map<const Eigen::MatrixXf>(r.samples.data(), static_cast<Eigen::Index>(r.length), 8).cast<double>();
      e.anomalous.reserve(truth.samples.size());
      for (const float v : truth.samples) e.anomalous.push_back(v > 0.5F);
      if (e.is_trap()) e.train_rows = kSkabTrainRowsOfTrap;
      experiments.push_back(std::move(e));
    }
  }
  return experiments;
}

}  // namespace millwright::results
