// SPDX-License-Identifier: Apache-2.0
// Signatures put onto documents: by one key after another, on one machine after another.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "net/tuf/metadata.h"
#include "net/tuf/signing_key.h"

namespace millwright::net::tuf {

// A new document with a signature of each key.
std::string signed_document(std::string_view signed_text, const std::vector<SigningKey>& keys);

// The document with one more signature, which takes the place of an older one of the same key id; whatever else is in
// "signed" stays as it is. kInvalidInput where it is no document of T.
template <typename T>
Result<std::string> with_signature(std::string_view document, const SigningKey& key);

// The signatures of two people who signed the same on two machines. kInvalidInput where what they signed differs.
template <typename T>
Result<std::string> merged(std::string_view one, std::string_view other);

extern template Result<std::string> with_signature<Root>(std::string_view, const SigningKey&);
extern template Result<std::string> with_signature<Targets>(std::string_view, const SigningKey&);
extern template Result<std::string> merged<Root>(std::string_view, std::string_view);
extern template Result<std::string> merged<Targets>(std::string_view, std::string_view);

}  // namespace millwright::net::tuf
