// SPDX-License-Identifier: Apache-2.0
// The other half: a private key in memory that signs metadata. Where it is kept and how it is encrypted is not known
// here.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/error.h"
#include "net/tuf/metadata.h"

namespace millwright::net::tuf {

enum class KeyKind { kEd25519, kRsaPss, kEcdsaP256 };

class SigningKey {
 public:
  // Ed25519, RSA with 3,072 bits, or ECDSA on P-256; from the system's random numbers.
  static SigningKey generate(KeyKind kind);
  // PKCS #8 in PEM; an empty passphrase means that it is not encrypted. kInvalidInput where it is no key of ours or the
  // passphrase is wrong.
  static Result<SigningKey> from_pem(std::string_view pem, std::string_view passphrase);
  // PKCS #8 in PEM, encrypted with AES-256 under a key of PBKDF2 (SHA-256, 600,000 rounds) unless the passphrase is
  // empty.
  [[nodiscard]] std::string to_pem(std::string_view passphrase) const;

  // Its public half as it stands in metadata, and the id under which it stands there: SHA-256 of that in canonical
  // form.
  [[nodiscard]] const Key& public_key() const { return public_; }
  [[nodiscard]] const std::string& keyid() const { return keyid_; }
  [[nodiscard]] Signature sign(std::string_view signed_text) const;

 private:
  struct Handle;
  explicit SigningKey(std::shared_ptr<Handle> handle, KeyKind kind);
  std::shared_ptr<Handle> handle_;
  KeyKind kind_;
  Key public_;
  std::string keyid_;
};

}  // namespace millwright::net::tuf
