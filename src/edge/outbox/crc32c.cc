// SPDX-License-Identifier: Apache-2.0
#include "edge/outbox/crc32c.h"

#include <array>
#include <cstring>

namespace millwright::edge::outbox {
namespace {

constexpr uint32_t kReflectedPolynomial = 0x82F63B78U;
constexpr size_t kWord = 8;

using Tables = std::array<std::array<uint32_t, 256>, kWord>;

// Table k advances a byte over k more zero bytes, so that eight bytes are eight look-ups.
constexpr Tables make_tables() {
  Tables tables{};
  for (uint32_t byte = 0; byte < 256; ++byte) {
    uint32_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1U) != 0 ? kReflectedPolynomial : 0U);
    tables[0][byte] = crc;
  }
  for (size_t k = 1; k < kWord; ++k) {
    for (uint32_t byte = 0; byte < 256; ++byte) {
      const uint32_t before = tables[k - 1][byte];
      tables[k][byte] = (before >> 8) ^ tables[0][before & 0xFFU];
    }
  }
  return tables;
}

constexpr Tables kTables = make_tables();

uint64_t load(const std::byte* from) {
  uint64_t word = 0;
  std::memcpy(&word, from, kWord);
  return word;
}

#if defined(__x86_64__)
[[gnu::target("sse4.2")]] uint32_t crc32c_sse42(const std::byte* data, size_t size, uint32_t crc) {
  uint64_t wide = crc;
  for (; size >= kWord; size -= kWord, data += kWord) wide = __builtin_ia32_crc32di(wide, load(data));
  auto narrow = static_cast<uint32_t>(wide);
  for (; size > 0; --size, ++data) narrow = __builtin_ia32_crc32qi(narrow, static_cast<unsigned char>(*data));
  return narrow;
}
#endif

uint32_t crc32c_tables(const std::byte* data, size_t size, uint32_t crc) {
  for (; size >= kWord; size -= kWord, data += kWord) {
    const uint64_t word = load(data) ^ crc;
    crc = 0;
    for (size_t i = 0; i < kWord; ++i) crc ^= kTables[kWord - 1 - i][(word >> (8 * i)) & 0xFFU];
  }
  for (; size > 0; --size, ++data) crc = (crc >> 8) ^ kTables[0][(crc ^ static_cast<uint32_t>(*data)) & 0xFFU];
  return crc;
}

}  // namespace

uint32_t crc32c_portable(std::span<const std::byte> bytes, uint32_t seed) {
  return ~crc32c_tables(bytes.data(), bytes.size(), ~seed);
}

uint32_t crc32c(std::span<const std::byte> bytes, uint32_t seed) {
#if defined(__x86_64__)
  static const bool has_instruction = __builtin_cpu_supports("sse4.2") != 0;
  if (has_instruction) return ~crc32c_sse42(bytes.data(), bytes.size(), ~seed);
#endif
  return crc32c_portable(bytes, seed);
}

}  // namespace millwright::edge::outbox
