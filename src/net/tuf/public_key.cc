// SPDX-License-Identifier: Apache-2.0
#include "net/tuf/public_key.h"

#include <algorithm>
#include <set>

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "base/digest.h"

namespace millwright::net::tuf {

struct PublicKey::Handle {
  EVP_PKEY* key = nullptr;
  explicit Handle(EVP_PKEY* k) : key(k) {}
  ~Handle() { EVP_PKEY_free(key); }
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
};

namespace {

constexpr size_t kMaxPemBytes = 16'384;
constexpr size_t kEd25519KeyBytes = 32;

const unsigned char* octets(std::string_view text) { return reinterpret_cast<const unsigned char*>(text.data()); }

EVP_PKEY* read_pem(const std::string& pem) {
  if (pem.size() > kMaxPemBytes) return nullptr;
  BIO* bio = BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()));
  EVP_PKEY* key = bio == nullptr ? nullptr : PEM_read_bio_PUBKEY(bio, nullptr, nullptr, nullptr);
  BIO_free(bio);
  ERR_clear_error();
  return key;
}

EVP_PKEY* read_ed25519(const std::string& value) {
  if (value.starts_with("-----BEGIN")) return read_pem(value);
  const auto raw = from_hex(value);
  if (!raw || raw->size() != kEd25519KeyBytes) return nullptr;
  EVP_PKEY* key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, octets(*raw), raw->size());
  ERR_clear_error();
  return key;
}

bool is_on_p256(EVP_PKEY* key) {
  char group[32] = {};
  size_t length = 0;
  if (EVP_PKEY_get_group_name(key, group, sizeof group, &length) != 1) return false;
  const std::string_view name(group, length);
  return name == "prime256v1" || name == "P-256" || name == "secp256r1";
}

Result<std::string> identity_of(EVP_PKEY* key) {
  unsigned char* der = nullptr;
  const int length = i2d_PUBKEY(key, &der);
  if (length <= 0) return fail(ErrorCode::kInvalidInput, "the key cannot be written down");
  std::string identity = sha256(std::string_view(reinterpret_cast<char*>(der), static_cast<size_t>(length))).hex();
  OPENSSL_free(der);
  return identity;
}

bool prepare_padding(EVP_PKEY_CTX* context, bool pss) {
  if (!pss) return EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PADDING) == 1;
  // Signers differ in the salt's length; it may be any.
  return EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PSS_PADDING) == 1 &&
         EVP_PKEY_CTX_set_rsa_pss_saltlen(context, RSA_PSS_SALTLEN_AUTO) == 1 &&
         EVP_PKEY_CTX_set_rsa_mgf1_md(context, EVP_sha256()) == 1;
}

}  // namespace

Result<PublicKey> PublicKey::read(const Key& key) {
  PublicKey parsed;
  int kind = EVP_PKEY_NONE;
  if (key.keytype == "ed25519" && key.scheme == "ed25519") {
    parsed.scheme_ = Scheme::kEd25519;
    kind = EVP_PKEY_ED25519;
  } else if (key.keytype == "rsa" && key.scheme == "rsassa-pss-sha256") {
    parsed.scheme_ = Scheme::kRsaPss;
    kind = EVP_PKEY_RSA;
  } else if (key.keytype == "rsa" && key.scheme == "rsa-pkcs1v15-sha256") {
    parsed.scheme_ = Scheme::kRsaPkcs1;
    kind = EVP_PKEY_RSA;
  } else if ((key.keytype == "ecdsa" || key.keytype == "ecdsa-sha2-nistp256") && key.scheme == "ecdsa-sha2-nistp256") {
    parsed.scheme_ = Scheme::kEcdsaP256;
    kind = EVP_PKEY_EC;
  } else {
    return fail(ErrorCode::kUnsupported, "this program knows no key of type '{}' with scheme '{}'", key.keytype,
                key.scheme);
  }
  EVP_PKEY* raw = kind == EVP_PKEY_ED25519 ? read_ed25519(key.value) : read_pem(key.value);
  if (raw == nullptr) return fail(ErrorCode::kInvalidInput, "its value is no public key of type '{}'", key.keytype);
  parsed.handle_ = std::make_shared<Handle>(raw);
  if (EVP_PKEY_get_base_id(raw) != kind) return fail(ErrorCode::kInvalidInput, "its value is a key of another type");
  if (kind == EVP_PKEY_EC && !is_on_p256(raw)) return fail(ErrorCode::kUnsupported, "its key is not on curve P-256");
  if (kind == EVP_PKEY_RSA && (EVP_PKEY_get_bits(raw) < 2048 || EVP_PKEY_get_bits(raw) > 8192)) {
    return fail(ErrorCode::kUnsupported, "an RSA key must have 2,048 to 8,192 bits, not {}", EVP_PKEY_get_bits(raw));
  }
  parsed.identity_ = MW_TRY(identity_of(raw));
  return parsed;
}

bool PublicKey::signed_by(std::string_view message, std::string_view signature) const {
  const auto raw = from_hex(signature);
  if (!raw || raw->empty()) return false;
  EVP_MD_CTX* md = EVP_MD_CTX_new();
  if (md == nullptr) return false;
  EVP_PKEY_CTX* context = nullptr;
  const EVP_MD* digest = scheme_ == Scheme::kEd25519 ? nullptr : EVP_sha256();
  bool ok = EVP_DigestVerifyInit(md, &context, digest, nullptr, handle_->key) == 1;
  if (ok && (scheme_ == Scheme::kRsaPss || scheme_ == Scheme::kRsaPkcs1)) {
    ok = prepare_padding(context, scheme_ == Scheme::kRsaPss);
  }
  ok = ok && EVP_DigestVerify(md, octets(*raw), raw->size(), octets(message), message.size()) == 1;
  EVP_MD_CTX_free(md);
  ERR_clear_error();
  return ok;
}

size_t keys_that_signed(std::string_view signed_text, const std::vector<Signature>& signatures, const Keys& keys,
                        const RoleKeys& role) {
  std::set<std::string> signers;
  for (const Signature& signature : signatures) {
    if (std::ranges::find(role.keyids, signature.keyid) == role.keyids.end()) continue;
    const auto found = keys.find(signature.keyid);
    if (found == keys.end()) continue;
    const auto key = PublicKey::read(found->second);
    if (!key || signers.contains(key->identity())) continue;
    if (key->signed_by(signed_text, signature.value)) signers.insert(key->identity());
  }
  return signers.size();
}

Status check_threshold(std::string_view what, std::string_view signed_text, const std::vector<Signature>& signatures,
                       const Keys& keys, const RoleKeys& role) {
  const size_t count = keys_that_signed(signed_text, signatures, keys, role);
  if (count >= role.threshold) return {};
  return fail(
      ErrorCode::kRefused,
      "arbitrary software: {} is signed by {} of the keys that may sign it, {} are needed; it does not come from who "
      "owns this repository, or was signed with the wrong keys. It is not used",
      what, count, role.threshold);
}

}  // namespace millwright::net::tuf
