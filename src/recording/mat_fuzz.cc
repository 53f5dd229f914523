// SPDX-License-Identifier: Apache-2.0
// matio crashes in the child; what is fuzzed here is that the parent never does, and always gets an answer in time.
#include <sys/mman.h>
#include <unistd.h>

#include "base/descriptor.h"
#include "recording/decoded.h"
#include "recording/decoders.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace millwright;
  const Descriptor file(::memfd_create("fuzz", MFD_CLOEXEC));
  MW_CHECK(file.valid(), "memory files are available");
  MW_CHECK(::write(file.get(), data, size) == static_cast<ssize_t>(size), "the input fits into memory");
  recording::check_decoded(recording::decode_mat(fmt::format("/proc/self/fd/{}", file.get()), {}));
  return 0;
}
