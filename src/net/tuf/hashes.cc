// SPDX-License-Identifier: Apache-2.0
#include "net/tuf/hashes.h"

#include <array>

#include <openssl/evp.h>

#include "base/check.h"

namespace millwright::net::tuf {

namespace {

struct Context {
  EVP_MD_CTX* md;
  explicit Context(const EVP_MD* kind) : md(EVP_MD_CTX_new()) {
    MW_CHECK(md != nullptr && EVP_DigestInit_ex(md, kind, nullptr) == 1, "SHA-2 must be available");
  }
  ~Context() { EVP_MD_CTX_free(md); }
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  void update(std::span<const std::byte> bytes) {
    MW_CHECK(EVP_DigestUpdate(md, bytes.data(), bytes.size()) == 1, "a digest's update cannot fail");
  }
  std::string hex() {
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned int length = 0;
    MW_CHECK(EVP_DigestFinal_ex(md, digest.data(), &length) == 1, "a digest's end cannot fail");
    return to_hex(std::span(digest).first(length));
  }
};

int nibble(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

struct Hasher::Contexts {
  Context sha256{EVP_sha256()};
  Context sha512{EVP_sha512()};
};

Hasher::Hasher() : contexts_(std::make_unique<Contexts>()) {}
Hasher::~Hasher() = default;
Hasher::Hasher(Hasher&&) noexcept = default;
Hasher& Hasher::operator=(Hasher&&) noexcept = default;

void Hasher::update(std::span<const std::byte> bytes) {
  contexts_->sha256.update(bytes);
  contexts_->sha512.update(bytes);
}

Hashes Hasher::finish() { return {.sha256 = contexts_->sha256.hex(), .sha512 = contexts_->sha512.hex()}; }

Hashes hashes_of(std::string_view bytes) {
  Hasher hasher;
  hasher.update(std::as_bytes(std::span(bytes)));
  return hasher.finish();
}

bool agree(const Hashes& stated, const Hashes& actual) {
  return stated.stated() && (stated.sha256.empty() || stated.sha256 == actual.sha256) &&
         (stated.sha512.empty() || stated.sha512 == actual.sha512);
}

std::string to_hex(std::span<const unsigned char> bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  text.reserve(2 * bytes.size());
  for (const unsigned char byte : bytes) {
    text.push_back(kDigits[byte >> 4]);
    text.push_back(kDigits[byte & 15]);
  }
  return text;
}

Result<std::string> from_hex(std::string_view hex) {
  if (hex.size() % 2 != 0) return fail(ErrorCode::kInvalidInput, "hexadecimal digits come in pairs");
  std::string bytes;
  bytes.reserve(hex.size() / 2);
  for (size_t i = 0; i < hex.size(); i += 2) {
    const int high = nibble(hex[i]);
    const int low = nibble(hex[i + 1]);
    if (high < 0 || low < 0) return fail(ErrorCode::kInvalidInput, "not a hexadecimal digit");
    bytes.push_back(static_cast<char>(high * 16 + low));
  }
  return bytes;
}

}  // namespace millwright::net::tuf
