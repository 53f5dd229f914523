// SPDX-License-Identifier: Apache-2.0
#include "net/tuf/signing_key.h"

#include <vector>

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include <nlohmann/json.hpp>

#include "base/check.h"
#include "base/digest.h"
#include "net/tuf/canonical_json.h"
#include "net/tuf/public_key.h"

namespace millwright::net::tuf {

struct SigningKey::Handle {
  EVP_PKEY* key = nullptr;
  explicit Handle(EVP_PKEY* k) : key(k) {}
  ~Handle() { EVP_PKEY_free(key); }
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
};

namespace {

constexpr size_t kRsaBits = 3072;
constexpr int kPbkdf2Rounds = 600'000;

// What was written into a BIO, which it frees.
std::string taken(BIO* bio) {
  char* data = nullptr;
  const long length = BIO_get_mem_data(bio, &data);
  std::string text(data, static_cast<size_t>(length));
  BIO_free(bio);
  return text;
}

Key public_half(EVP_PKEY* key, KeyKind kind) {
  if (kind == KeyKind::kEd25519) {
    unsigned char raw[32];
    size_t length = sizeof raw;
    MW_CHECK(EVP_PKEY_get_raw_public_key(key, raw, &length) == 1, "an Ed25519 key has a public half");
    return {.keytype = "ed25519", .scheme = "ed25519", .value = to_hex(std::span(raw, length))};
  }
  BIO* bio = BIO_new(BIO_s_mem());
  MW_CHECK(bio != nullptr && PEM_write_bio_PUBKEY(bio, key) == 1, "a key has a public half");
  const bool rsa = kind == KeyKind::kRsaPss;
  return {.keytype = rsa ? "rsa" : "ecdsa",
          .scheme = rsa ? "rsassa-pss-sha256" : "ecdsa-sha2-nistp256",
          .value = taken(bio)};
}

std::string keyid_of(const Key& key) {
  const nlohmann::json object = {{"keytype", key.keytype}, {"scheme", key.scheme}, {"keyval", {{"public", key.value}}}};
  return sha256(*canonical_json(object)).hex();
}

int give_passphrase(char* buffer, int size, int, void* passphrase) {
  const auto& text = *static_cast<const std::string_view*>(passphrase);
  if (text.size() > static_cast<size_t>(size)) return -1;
  text.copy(buffer, text.size());
  return static_cast<int>(text.size());
}

}  // namespace

SigningKey::SigningKey(std::shared_ptr<Handle> handle, KeyKind kind)
    : handle_(std::move(handle)), kind_(kind), public_(public_half(handle_->key, kind)), keyid_(keyid_of(public_)) {}

SigningKey SigningKey::generate(KeyKind kind) {
  EVP_PKEY* key = nullptr;
  switch (kind) {
    case KeyKind::kEd25519: key = EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"); break;
    case KeyKind::kRsaPss: key = EVP_PKEY_Q_keygen(nullptr, nullptr, "RSA", kRsaBits); break;
    case KeyKind::kEcdsaP256: key = EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256"); break;
  }
  MW_CHECK(key != nullptr, "the system must have random numbers");
  return SigningKey(std::make_shared<Handle>(key), kind);
}

Result<SigningKey> SigningKey::from_pem(std::string_view pem, std::string_view passphrase) {
  BIO* bio = BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()));
  EVP_PKEY* key = bio == nullptr ? nullptr : PEM_read_bio_PrivateKey(bio, nullptr, give_passphrase, &passphrase);
  BIO_free(bio);
  ERR_clear_error();
  if (key == nullptr) return fail(ErrorCode::kInvalidInput, "no private key in PEM, or the passphrase is wrong");
  auto handle = std::make_shared<Handle>(key);
  KeyKind kind = KeyKind::kEd25519;
  switch (EVP_PKEY_get_base_id(key)) {
    case EVP_PKEY_ED25519: break;
    case EVP_PKEY_RSA: kind = KeyKind::kRsaPss; break;
    case EVP_PKEY_EC: kind = KeyKind::kEcdsaP256; break;
    default: return fail(ErrorCode::kUnsupported, "a signing key is Ed25519, RSA or ECDSA on P-256");
  }
  SigningKey signer(std::move(handle), kind);
  // What nobody would accept is not signed with.
  if (const auto readable = PublicKey::read(signer.public_); !readable) return std::unexpected(readable.error());
  return signer;
}

std::string SigningKey::to_pem(std::string_view passphrase) const {
  BIO* bio = BIO_new(BIO_s_mem());
  MW_CHECK(bio != nullptr, "memory for a key");
  if (passphrase.empty()) {
    MW_CHECK(PEM_write_bio_PKCS8PrivateKey(bio, handle_->key, nullptr, nullptr, 0, nullptr, nullptr) == 1,
             "a key can be written");
    return taken(bio);
  }
  PKCS8_PRIV_KEY_INFO* plain = EVP_PKEY2PKCS8(handle_->key);
  MW_CHECK(plain != nullptr, "a key has a PKCS #8 form");
  X509_ALGOR* algorithm = PKCS5_pbe2_set_iv(EVP_aes_256_cbc(), kPbkdf2Rounds, nullptr, 0, nullptr, NID_hmacWithSHA256);
  MW_CHECK(algorithm != nullptr, "PBES2 must be available");
  X509_SIG* encrypted = PKCS8_set0_pbe(passphrase.data(), static_cast<int>(passphrase.size()), plain, algorithm);
  MW_CHECK(encrypted != nullptr && PEM_write_bio_PKCS8(bio, encrypted) == 1, "a key can be encrypted");
  X509_SIG_free(encrypted);
  PKCS8_PRIV_KEY_INFO_free(plain);
  return taken(bio);
}

Signature SigningKey::sign(std::string_view signed_text) const {
  EVP_MD_CTX* md = EVP_MD_CTX_new();
  EVP_PKEY_CTX* context = nullptr;
  const EVP_MD* digest = kind_ == KeyKind::kEd25519 ? nullptr : EVP_sha256();
  MW_CHECK(md != nullptr && EVP_DigestSignInit(md, &context, digest, nullptr, handle_->key) == 1, "a key can sign");
  if (kind_ == KeyKind::kRsaPss) {
    MW_CHECK(EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PSS_PADDING) == 1 &&
                 EVP_PKEY_CTX_set_rsa_pss_saltlen(context, RSA_PSS_SALTLEN_DIGEST) == 1 &&
                 EVP_PKEY_CTX_set_rsa_mgf1_md(context, EVP_sha256()) == 1,
             "PSS must be available");
  }
  const auto* message = reinterpret_cast<const unsigned char*>(signed_text.data());
  size_t length = 0;
  MW_CHECK(EVP_DigestSign(md, nullptr, &length, message, signed_text.size()) == 1, "a signature has a size");
  std::vector<unsigned char> raw(length);
  MW_CHECK(EVP_DigestSign(md, raw.data(), &length, message, signed_text.size()) == 1, "a key can sign");
  EVP_MD_CTX_free(md);
  return {.keyid = keyid_, .value = to_hex(std::span(raw).first(length))};
}

}  // namespace millwright::net::tuf
