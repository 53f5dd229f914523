// SPDX-License-Identifier: Apache-2.0
// Who signed: Ed25519 (RFC 8032), RSASSA-PSS with SHA-256, ECDSA over P-256 with SHA-256, all by OpenSSL. RSA's older
// padding (PKCS #1 v1.5 with SHA-256) is read too, since repositories of others use it; we never sign with it.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/error.h"
#include "net/tuf/metadata.h"

namespace millwright::net::tuf {

class PublicKey {
 public:
  // kUnsupported for a keytype and scheme that we do not know, kInvalidInput where the value is no such key: an RSA key
  // must have 2,048 to 8,192 bits, an ECDSA key must be on P-256.
  static Result<PublicKey> read(const Key& key);

  // Whether `signature` (hexadecimal: 64 bytes for Ed25519, DER for ECDSA) is this key's over `message`.
  [[nodiscard]] bool signed_by(std::string_view message, std::string_view signature) const;
  // The same for equal keys, however they were written down: SHA-256 of SubjectPublicKeyInfo in DER.
  [[nodiscard]] const std::string& identity() const { return identity_; }

 private:
  struct Handle;
  enum class Scheme { kEd25519, kRsaPss, kRsaPkcs1, kEcdsaP256 };
  std::shared_ptr<Handle> handle_;
  Scheme scheme_ = Scheme::kEd25519;
  std::string identity_;
};

// How many different keys of the role signed: a signature counts if its id is one of the role's, the key of that id
// made it, and no other signature was made by the same key. Signatures that do not fit are passed over.
size_t keys_that_signed(std::string_view signed_text, const std::vector<Signature>& signatures, const Keys& keys,
                        const RoleKeys& role);

// kRefused with the words for `what` ("targets version 3") where the threshold is not met.
Status check_threshold(std::string_view what, std::string_view signed_text, const std::vector<Signature>& signatures,
                       const Keys& keys, const RoleKeys& role);

}  // namespace millwright::net::tuf
