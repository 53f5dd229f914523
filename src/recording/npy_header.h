// SPDX-License-Identifier: Apache-2.0
// What a .npy file says of itself: a magic, two version bytes, the length of a header, the header (a Python dictionary
// literal with the keys descr, fortran_order and shape), then the array's bytes and nothing else. Source:
// numpy.lib.format of the NumPy manual.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "recording/byte_source.h"

namespace millwright::recording {

inline constexpr std::string_view kNpyMagic = "\x93NUMPY";

struct NpyHeader {
  std::string descr;
  bool fortran_order = false;
  std::vector<uint64_t> shape;
  uint64_t data_offset = 0;
};

// `max_dimensions`: an array of more is kUnsupported.
Result<NpyHeader> read_npy_header(ByteSource& source, size_t max_dimensions);

struct NpyElement {
  size_t bytes;
  void (*convert)(const std::byte* from, std::span<float> to, double scale);
};

// Little-endian floats and integers; kUnsupported names what else there is.
Result<NpyElement> npy_element(std::string_view descr);

}  // namespace millwright::recording
