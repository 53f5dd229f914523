// SPDX-License-Identifier: Apache-2.0
// Runs a bundle's model over many feature rows, through the same sessions as the box.
#pragma once

#include <vector>

#include "base/error.h"
#include "lab/matrix.h"
#include "model/bundle.h"

namespace millwright::lab {

struct ModelRun {
  std::vector<double> raw;  // one per row
  Rows contributions;       // rows x features, >= 0; empty where the model gives none
};

// `rows` are raw features, not normalised. kInvalidInput where the model does not take them; kCorrupt where a score
// is not finite.
Result<ModelRun> run_model(const model::Bundle& bundle, const Rows& rows);

}  // namespace millwright::lab
