// SPDX-License-Identifier: Apache-2.0
// One kernel, several instruction sets: the loader takes the best that the processor has. On other processors than
// x86-64, and where a sanitizer runs before the loader's choice could be made, there is one plain version.
#pragma once

// The sets are named by level: a processor's name would leave out its successors and other makers.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(MILLWRIGHT_SANITIZED)
#define MW_VECTORISED __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define MW_VECTORISED
#endif
