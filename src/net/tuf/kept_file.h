// SPDX-License-Identifier: Apache-2.0
// A file that was trusted in an earlier update, and what metadata states of a file.
#pragma once

#include <string>
#include <string_view>

#include "net/tuf/client.h"
#include "net/tuf/metadata.h"

namespace millwright::net::tuf {

template <typename T>
struct Client::Kept {
  Document<T> document;
  std::string bytes;
  // Signed by the whole threshold of today's root. Else by one of its keys at least: its versions are a floor, no more.
  bool full = false;
};

// Whether length and hashes are those that are stated, as far as they are.
bool fits(const MetaFile& stated, std::string_view bytes);

// kRefused where the file is another version than the one that was signed for.
Status check_version(std::string_view role_name, const MetaFile& stated, const Header& header);

}  // namespace millwright::net::tuf
