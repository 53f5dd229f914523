// SPDX-License-Identifier: Apache-2.0
// Time features of sixteen windows: as time_features(), whose last steps it shares.
#pragma once

#include "signal/rows.h"

namespace millwright::signal {

// `x` has n Rows; `out` takes kTimeFeatures Rows.
void time_features(const Row* x, size_t n, Row* out);

}  // namespace millwright::signal
