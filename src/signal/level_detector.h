// SPDX-License-Identifier: Apache-2.0
// Finds where the level or the short-time energy of a stream rises above a threshold.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace millwright::signal {

class LevelDetector {
 public:
  struct Options {
    double level = 0.0;
    size_t energy_samples = 1;
    size_t dead_samples = 0;
  };
  explicit LevelDetector(const Options& options);

  // Takes the sample of stream index `at`; true where a stroke begins.
  bool push(float sample, uint64_t at);
  // The stream was interrupted: what came before says nothing about the level now; the dead time goes on.
  void interrupt();

 private:
  double threshold_;  // on the sum of squares over energy_samples
  size_t dead_samples_;
  std::vector<double> squares_;  // a ring
  size_t next_ = 0;
  double sum_ = 0.0;
  bool above_ = false;
  std::optional<uint64_t> last_;
};

}  // namespace millwright::signal
