// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <span>

#include "base/error.h"
#include "onnx/graph.h"

namespace millwright::lab {

// What pruning begins with: a float model, raised and prepared. kInvalidInput: quantised already, with the operator and
// what to do; else as raised_and_prepared.
Result<onnx::Graph> prune_start(std::span<const std::byte> model);

}  // namespace millwright::lab
