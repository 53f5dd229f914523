// SPDX-License-Identifier: Apache-2.0
// CRC-32C (Castagnoli, polynomial 0x1EDC6F41 reflected, RFC 3720 appendix B.4), by the processor's own instruction
// where there is one. Finds accidents, not attackers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace millwright::edge::outbox {

// `seed` is the checksum of what came before; 0 at the beginning.
uint32_t crc32c(std::span<const std::byte> bytes, uint32_t seed = 0);
// The same without the instruction, for a comparison.
uint32_t crc32c_portable(std::span<const std::byte> bytes, uint32_t seed = 0);

}  // namespace millwright::edge::outbox
