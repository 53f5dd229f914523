// SPDX-License-Identifier: Apache-2.0
// SKAB, a pump testbed: eight channels at 1 Hz, a fault in each file, and slow drift in all of them.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/error.h"
#include "lab/matrix.h"

namespace millwright::results {

inline constexpr Eigen::Index kSkabTrainRows = 400;
inline constexpr Eigen::Index kSkabTrainRowsOfTrap = 100;  // other/2.csv: anomalous from row 104

struct Experiment {
  std::string name;  // folder/file
  lab::Matrix rows;  // instants x 8
  std::vector<bool> anomalous;
  Eigen::Index train_rows = kSkabTrainRows;

  [[nodiscard]] bool is_trap() const { return name == "other/2.csv"; }
  // Files on which variants were compared by their labels; the rest, but for other/2.csv, was held out meanwhile.
  [[nodiscard]] bool is_development() const;
};

// The 34 experiments under `folder`, in the order of their names.
Result<std::vector<Experiment>> load_skab(const std::filesystem::path& folder);

}  // namespace millwright::results
