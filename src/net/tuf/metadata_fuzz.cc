// SPDX-License-Identifier: Apache-2.0
// Any bytes as metadata of each type: read or refused, never a crash; what was read has one canonical form, and written
// anew it says the same.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "net/tuf/metadata.h"
#include "net/tuf/public_key.h"

namespace {

using namespace millwright::net::tuf;

template <typename T>
void try_as(std::string_view bytes) {
  const auto document = parse<T>(bytes);
  if (!document) {
    MW_CHECK(document.error().message.find('\n') == std::string::npos, "one line");
    return;
  }
  const auto kept = parse<T>(document_bytes(document->signed_text, document->signatures));
  MW_CHECK(kept.has_value() && kept->signed_text == document->signed_text, "the canonical text is the document's");
  const std::string ours = signed_text(document->body);
  const auto again = parse<T>(document_bytes(ours, document->signatures));
  MW_CHECK(again.has_value() && signed_text(again->body) == ours, "what was read can be written and read again");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  try_as<Root>(bytes);
  try_as<Timestamp>(bytes);
  try_as<Snapshot>(bytes);
  try_as<Targets>(bytes);
  if (const auto root = parse<Root>(bytes)) {
    for (const auto& [role, keys] : root->body.roles) {
      MW_CHECK(keys_that_signed(root->signed_text, root->signatures, root->body.keys, keys) <= keys.keyids.size(),
               "no more signers than keys");
    }
  }
  if (const auto targets = parse<Targets>(bytes)) {
    for (const auto& [path, file] : targets->body.targets) {
      bool terminating = false;
      for (const CoveringRole& role : targets->body.delegations.covering(path, terminating)) {
        MW_CHECK(!is_top_level(role.name), "no delegated role is a top-level one");
      }
    }
  }
  return 0;
}
