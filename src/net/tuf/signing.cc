// SPDX-License-Identifier: Apache-2.0
#include "net/tuf/signing.h"

#include <algorithm>

namespace millwright::net::tuf {
namespace {

void put(std::vector<Signature>& signatures, Signature signature) {
  const auto same = std::ranges::find(signatures, signature.keyid, &Signature::keyid);
  if (same == signatures.end()) {
    signatures.push_back(std::move(signature));
  } else {
    *same = std::move(signature);
  }
}

}  // namespace

std::string signed_document(std::string_view signed_text, const std::vector<SigningKey>& keys) {
  std::vector<Signature> signatures;
  for (const SigningKey& key : keys) put(signatures, key.sign(signed_text));
  return document_bytes(signed_text, signatures);
}

template <typename T>
Result<std::string> with_signature(std::string_view document, const SigningKey& key) {
  Document<T> parsed = MW_TRY(parse<T>(document));
  put(parsed.signatures, key.sign(parsed.signed_text));
  return document_bytes(parsed.signed_text, parsed.signatures);
}

template <typename T>
Result<std::string> merged(std::string_view one, std::string_view other) {
  Document<T> first = MW_TRY_IN("the first", parse<T>(one));
  Document<T> second = MW_TRY_IN("the second", parse<T>(other));
  if (first.signed_text != second.signed_text) {
    return fail(ErrorCode::kInvalidInput,
                "the two signed different documents (versions {} and {}); both must sign the same file, byte for byte",
                first.body.header.version, second.body.header.version);
  }
  for (Signature& signature : second.signatures) put(first.signatures, std::move(signature));
  return document_bytes(first.signed_text, first.signatures);
}

template Result<std::string> with_signature<Root>(std::string_view, const SigningKey&);
template Result<std::string> with_signature<Targets>(std::string_view, const SigningKey&);
template Result<std::string> merged<Root>(std::string_view, std::string_view);
template Result<std::string> merged<Targets>(std::string_view, std::string_view);

}  // namespace millwright::net::tuf
