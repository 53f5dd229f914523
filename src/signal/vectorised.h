// SPDX-License-Identifier: Apache-2.0
// One kernel, several instruction sets: the loader takes the best that the processor has. On other processors than
// x86-64, and where a sanitizer runs before the loader's choice could be made, there is one plain version.
#pragma once

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(MILLWRIGHT_SANITIZED)
#define MW_VECTORISED __attribute__((target_clones("arch=skylake-avx512", "arch=haswell", "default")))
#else
#define MW_VECTORISED
#endif
