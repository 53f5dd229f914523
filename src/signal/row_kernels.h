// SPDX-License-Identifier: Apache-2.0
// Loops over Rows that several features need.
#pragma once

#include "signal/rows.h"

namespace millwright::signal {

// Samples [0, length) of kRowLanes windows as Rows.
void rows_of_windows(const float* const* windows, size_t length, Row* out);

void taper_rows(const Row* x, const float* taper, size_t count, Row* out);
void subtract_rows(const Row& value, size_t count, Row* x);
void clear_rows(Row* x, size_t count);
void copy_rows(const Row* from, size_t count, Row* to);

}  // namespace millwright::signal
