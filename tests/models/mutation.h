// SPDX-License-Identifier: Apache-2.0
// Damages a file of protobuf messages: by bytes, as disks and networks do, and by fields, as somebody does who knows
// the format. Knows the wire format alone (protobuf.dev, "Encoding"), no schema.
#pragma once

#include <cstddef>
#include <span>

#include "base/files.h"
#include "base/random.h"

namespace millwright::models {

// One mutant. `donor` is another file whose fields may be put in.
Bytes mutant(std::span<const std::byte> original, std::span<const std::byte> donor, Random& random);

}  // namespace millwright::models
