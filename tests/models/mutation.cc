// SPDX-License-Identifier: Apache-2.0
#include "models/mutation.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

namespace millwright::models {
namespace {

constexpr unsigned kVarint = 0;
constexpr unsigned kFixed64 = 1;
constexpr unsigned kLength = 2;
constexpr unsigned kFixed32 = 5;
constexpr size_t kMostFlips = 8;
constexpr size_t kMostInserted = 64;
constexpr size_t kMostFieldMutations = 3;
constexpr size_t kMostDepth = 8;
// Where sizes, counts and types go wrong.
constexpr std::array<uint64_t, 12> kEdges = {
    0, 1, 2, 7, 127, 128, 1ULL << 31U, (1ULL << 32U) - 1, 1ULL << 40U, 1ULL << 62U, INT64_MAX, UINT64_MAX};

// A number holds its bits; anything with a length or of fixed size its bytes.
struct Field {
  uint32_t number = 1;
  unsigned wire = kVarint;
  uint64_t value = 0;
  Bytes bytes;
};
using Fields = std::vector<Field>;

std::optional<uint64_t> read_varint(std::span<const std::byte>& in) {
  uint64_t value = 0;
  for (unsigned shift = 0; shift < 64 && !in.empty(); shift += 7) {
    const auto byte = std::to_integer<uint64_t>(in.front());
    in = in.subspan(1);
    value |= (byte & 0x7FU) << shift;
    if (byte < 0x80U) return value;
  }
  return std::nullopt;
}

// nullopt: these bytes are no message.
std::optional<Fields> read_fields(std::span<const std::byte> in) {
  Fields out;
  while (!in.empty()) {
    const auto tag = read_varint(in);
    if (!tag || *tag >> 3U == 0 || *tag >> 3U > 1000) return std::nullopt;
    Field field{.number = static_cast<uint32_t>(*tag >> 3U), .wire = static_cast<unsigned>(*tag & 7U), .bytes = {}};
    uint64_t length = 0;
    if (field.wire == kVarint) {
      const auto value = read_varint(in);
      if (!value) return std::nullopt;
      field.value = *value;
    } else if (field.wire == kLength) {
      const auto stated = read_varint(in);
      if (!stated) return std::nullopt;
      length = *stated;
    } else if (field.wire == kFixed32 || field.wire == kFixed64) {
      length = field.wire == kFixed32 ? 4 : 8;
    } else {
      return std::nullopt;
    }
    if (length > in.size()) return std::nullopt;
    field.bytes.assign(in.begin(), in.begin() + static_cast<std::ptrdiff_t>(length));
    in = in.subspan(length);
    out.push_back(std::move(field));
  }
  return out;
}

void write_varint(Bytes& out, uint64_t value) {
  for (; value >= 0x80U; value >>= 7U) out.push_back(static_cast<std::byte>(value | 0x80U));
  out.push_back(static_cast<std::byte>(value));
}

Bytes write_fields(const Fields& fields) {
  Bytes out;
  for (const Field& field : fields) {
    write_varint(out, (uint64_t{field.number} << 3U) | field.wire);
    if (field.wire == kVarint) write_varint(out, field.value);
    if (field.wire == kLength) write_varint(out, field.bytes.size());
    out.insert(out.end(), field.bytes.begin(), field.bytes.end());
  }
  return out;
}

void mutate_bytes(Bytes& bytes, Random& random) {
  if (bytes.empty()) {
    bytes.push_back(static_cast<std::byte>(random.below(256)));
    return;
  }
  const auto somewhere = [&] { return bytes.begin() + static_cast<std::ptrdiff_t>(random.below(bytes.size())); };
  switch (random.below(4)) {
    case 0:
      for (size_t left = 1 + random.below(kMostFlips); left > 0; --left) {
        *somewhere() ^= static_cast<std::byte>(1U << random.below(8));
      }
      return;
    case 1: bytes.resize(random.below(bytes.size())); return;
    case 2: {
      auto from = somewhere();
      auto to = somewhere();
      if (to < from) std::swap(from, to);
      bytes.erase(from, to);
      return;
    }
    default:
      for (size_t left = 1 + random.below(kMostInserted); left > 0; --left) {
        bytes.insert(somewhere(), static_cast<std::byte>(random.below(256)));
      }
  }
}

void mutate_one(Fields& fields, size_t at, const Fields& donor, Random& random) {
  Field& field = fields[at];
  const auto begin = fields.begin();
  const auto here = begin + static_cast<std::ptrdiff_t>(at);
  switch (random.below(8)) {
    case 0: fields.erase(here); return;
    case 1: {
      const Field again = field;
      fields.insert(begin + static_cast<std::ptrdiff_t>(random.below(fields.size())), again);
      return;
    }
    case 2: std::swap(field, fields[random.below(fields.size())]); return;
    case 3: field.number = 1 + static_cast<uint32_t>(random.below(24)); return;
    case 4:
      if (!donor.empty()) fields.insert(here, donor[random.below(donor.size())]);
      return;
    case 5:  // of another type, the bytes as they are
      field.wire = field.wire == kVarint ? kLength : kVarint;
      field.value = kEdges[random.below(kEdges.size())];
      if (field.wire == kVarint) field.bytes.clear();
      return;
    default:
      if (field.wire == kVarint) {
        field.value = random.below(4) == 0 ? random.bits() : kEdges[random.below(kEdges.size())];
      } else if (field.wire == kLength) {
        mutate_bytes(field.bytes, random);
      } else {
        for (std::byte& byte : field.bytes) byte = static_cast<std::byte>(random.below(256));
      }
  }
}

// Deep into the message, or here.
Bytes mutate_field(std::span<const std::byte> message, const Fields& donor, Random& random, size_t depth) {
  auto fields = read_fields(message);
  if (!fields || fields->empty()) {
    Bytes bytes(message.begin(), message.end());
    mutate_bytes(bytes, random);
    return bytes;
  }
  const size_t at = random.below(fields->size());
  Field& field = (*fields)[at];
  const bool deeper = field.wire == kLength && depth < kMostDepth && random.below(6) != 0;
  if (deeper && read_fields(field.bytes).value_or(Fields()).size() > 0) {
    field.bytes = mutate_field(field.bytes, donor, random, depth + 1);
  } else {
    mutate_one(*fields, at, donor, random);
  }
  return write_fields(*fields);
}

// The fields of some message inside, for others to be given.
Fields fields_somewhere(std::span<const std::byte> message, Random& random) {
  Fields found = read_fields(message).value_or(Fields());
  for (size_t depth = 0; depth < kMostDepth && !found.empty() && random.below(3) != 0; ++depth) {
    const Field& field = found[random.below(found.size())];
    Fields inner = field.wire == kLength ? read_fields(field.bytes).value_or(Fields()) : Fields();
    if (inner.empty()) break;
    found = std::move(inner);
  }
  return found;
}

}  // namespace

Bytes mutant(std::span<const std::byte> original, std::span<const std::byte> donor, Random& random) {
  Bytes out(original.begin(), original.end());
  if (random.below(3) == 0) {
    mutate_bytes(out, random);
    return out;
  }
  const Fields given = fields_somewhere(donor, random);
  for (size_t left = 1 + random.below(kMostFieldMutations); left > 0; --left) {
    out = mutate_field(out, given, random, 0);
  }
  return out;
}

}  // namespace millwright::models
