// SPDX-License-Identifier: Apache-2.0
// Which execution provider runs each node, by ONNX Runtime's own account of a run.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "inference/rung.h"

namespace millwright::inference {

struct PlacedNode {
  std::string name;  // the runtime's, of a kernel as it ran; what a provider took over as a whole has one of its own
  std::string op;    // "Conv"; without its domain
  std::string provider;  // "CPUExecutionProvider"
};

// Runs the model once on zeros, batch 1, with what the rung's provider cannot run left to the CPU, and reads the
// runtime's profile of it (in a folder of its own below the system's temporary one, gone afterwards). In the order of
// the run; nodes in a branch not taken are not in it. Where a name comes up again (a subgraph that runs often), once.
// Try the model first. Errors as Session::create; kInvalidInput where the run fails; kIo.
Result<std::vector<PlacedNode>> placement(std::span<const std::byte> model, const Rung& rung = {});

// Of the profile's text: kCorrupt where it is none.
Result<std::vector<PlacedNode>> read_profile(std::string_view json);

}  // namespace millwright::inference
