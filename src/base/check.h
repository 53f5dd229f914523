// SPDX-License-Identifier: Apache-2.0
// A bug is a check that is always on: the program stops and says where, rather than go on with a broken promise.
#pragma once

namespace millwright {

[[noreturn]] void check_failed(const char* condition, const char* why, const char* file, int line);

}  // namespace millwright

#define MW_CHECK(condition, why)                                       \
  do {                                                                 \
    if (!(condition)) [[unlikely]]                                     \
      ::millwright::check_failed(#condition, why, __FILE__, __LINE__); \
  } while (false)
