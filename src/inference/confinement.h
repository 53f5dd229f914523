// SPDX-License-Identifier: Apache-2.0
// Takes from this process what a model's trial does not need. For a child that will exit; there is no way back.
#pragma once

#include <cstdint>

#include "base/error.h"

namespace millwright::inference {

struct Confinement {
  uint64_t memory_bytes = 0;  // address space beyond what the process holds now
  uint64_t cpu_seconds = 0;
};

// Dies with its parent, dumps no core, cannot gain privileges, open sockets, start programs or open files for writing.
// kUnavailable where the kernel refuses a part of it.
Status confine(const Confinement& limits);

}  // namespace millwright::inference
