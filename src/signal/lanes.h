// SPDX-License-Identifier: Apache-2.0
// Eight floats at a time, in the compiler's own vectors: where the processor has none that wide, the compiler splits
// them. Used where a plain loop is not vectorised: interleaved complex numbers, read forwards and backwards. Nothing
// here is a function, since a vector argument would tie callers to one instruction set.
#pragma once

#include <cstddef>
#include <cstring>

namespace millwright::signal {

inline constexpr size_t kLanes = 8;
using Lanes = float __attribute__((vector_size(32)));

}  // namespace millwright::signal

// Lanes from and to memory that need not be aligned.
#define MW_LOAD(to, from) std::memcpy(&(to), (from), sizeof(::millwright::signal::Lanes))
#define MW_STORE(to, from) std::memcpy((to), &(from), sizeof(::millwright::signal::Lanes))

// Real and imaginary parts of eight interleaved complex numbers, in order and in reverse.
#define MW_REAL(low, high) __builtin_shufflevector(low, high, 0, 2, 4, 6, 8, 10, 12, 14)
#define MW_IMAG(low, high) __builtin_shufflevector(low, high, 1, 3, 5, 7, 9, 11, 13, 15)
#define MW_REAL_REVERSED(low, high) __builtin_shufflevector(low, high, 14, 12, 10, 8, 6, 4, 2, 0)
#define MW_IMAG_REVERSED(low, high) __builtin_shufflevector(low, high, 15, 13, 11, 9, 7, 5, 3, 1)
