// SPDX-License-Identifier: Apache-2.0
#include "signal/row_time.h"

#include <algorithm>
#include <cmath>

#include "signal/time_features.h"
#include "signal/vectorised.h"

namespace millwright::signal {
namespace {

struct Levels {
  RowSum sum, sum_abs, sum_sqrt_abs;
  Row max, min;
};

struct Powers {
  RowSum one, two, three, four;
};

struct Centres {
  Row value;
  Row scale;
};

MW_VECTORISED void measure_levels(const Row* x, size_t n, Levels* levels) {
  Row high = x[0];
  Row low = x[0];
  for (size_t begin = 0; begin < n; begin += kRowBlock) {
    const size_t end = std::min(n, begin + kRowBlock);
    Row sum{};
    Row sum_abs{};
    Row sum_sqrt{};
    for (size_t i = begin; i < end; ++i) {
      Row value = x[i];
      sum += value;
      high = value > high ? value : high;
      low = value < low ? value : low;
      take_magnitude(value);
      sum_abs += value;
      take_root(value);
      sum_sqrt += value;
    }
    add_wide(sum, levels->sum);
    add_wide(sum_abs, levels->sum_abs);
    add_wide(sum_sqrt, levels->sum_sqrt_abs);
  }
  levels->max = high;
  levels->min = low;
}

MW_VECTORISED void measure_powers(const Row* x, size_t n, const Centres* centres, Powers* powers) {
  const Row centre = centres->value;
  const Row scale = centres->scale;
  for (size_t begin = 0; begin < n; begin += kRowBlock) {
    const size_t end = std::min(n, begin + kRowBlock);
    Row one{};
    Row two{};
    Row three{};
    Row four{};
    for (size_t i = begin; i < end; ++i) {
      const Row d = (x[i] - centre) * scale;
      const Row square = d * d;
      one += d;
      two += square;
      three += square * d;
      four += square * square;
    }
    add_wide(one, powers->one);
    add_wide(two, powers->two);
    add_wide(three, powers->three);
    add_wide(four, powers->four);
  }
}

}  // namespace

void time_features(const Row* x, size_t n, Row* out) {
  Levels levels;
  measure_levels(x, n, &levels);
  TimeLevel level[kRowLanes];
  TimeCentre centre[kRowLanes];
  Centres centres;
  for (size_t l = 0; l < kRowLanes; ++l) {
    level[l] = {levels.sum.lane[l], levels.sum_abs.lane[l], levels.sum_sqrt_abs.lane[l], levels.max[l], levels.min[l]};
    centre[l] = centre_of(level[l], n);
    centres.value[l] = centre[l].value;
    centres.scale[l] = std::ldexp(1.0F, -centre[l].exponent);
  }
  Powers powers;
  measure_powers(x, n, &centres, &powers);
  for (size_t l = 0; l < kRowLanes; ++l) {
    const TimePowers sums{powers.one.lane[l], powers.two.lane[l], powers.three.lane[l], powers.four.lane[l]};
    float features[kTimeFeatures];
    finish_time_features(level[l], centre[l], sums, n, features);
    for (size_t i = 0; i < kTimeFeatures; ++i) out[i][l] = features[i];
  }
}

}  // namespace millwright::signal
