// SPDX-License-Identifier: Apache-2.0
// What TUF says of a file's bytes: SHA-256 and SHA-512, either or both.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/error.h"

namespace millwright::net::tuf {

// Lower-case hexadecimal digits; an empty text is a hash that was not stated.
struct Hashes {
  std::string sha256;
  std::string sha512;

  [[nodiscard]] bool stated() const { return !sha256.empty() || !sha512.empty(); }
  friend bool operator==(const Hashes&, const Hashes&) = default;
};

// Both hashes of a stream of bytes; not safe from two threads at once.
class Hasher {
 public:
  Hasher();
  ~Hasher();
  Hasher(Hasher&&) noexcept;
  Hasher& operator=(Hasher&&) noexcept;

  void update(std::span<const std::byte> bytes);
  // Ends the stream; the object must not be used afterwards.
  [[nodiscard]] Hashes finish();

 private:
  struct Contexts;
  std::unique_ptr<Contexts> contexts_;
};

Hashes hashes_of(std::string_view bytes);

// Each stated hash must be that of `actual`, and one must be stated.
bool agree(const Hashes& stated, const Hashes& actual);

std::string to_hex(std::span<const unsigned char> bytes);
// Either case of digits; kInvalidInput else.
Result<std::string> from_hex(std::string_view hex);

}  // namespace millwright::net::tuf
