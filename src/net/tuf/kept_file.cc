// SPDX-License-Identifier: Apache-2.0
#include "net/tuf/kept_file.h"

#include "net/tuf/names.h"

namespace millwright::net::tuf {

bool fits(const MetaFile& stated, std::string_view bytes) {
  if (stated.length && *stated.length != bytes.size()) return false;
  return !stated.hashes || agree(*stated.hashes, hashes_of(bytes));
}

Status check_version(std::string_view role_name, const MetaFile& stated, const Header& header) {
  if (header.version == stated.version) return {};
  return fail(
      ErrorCode::kRefused,
      "mix-and-match: version {} of {} was signed for, the server's file is version {}; files of different times are "
      "put together. It is not used",
      stated.version, shown(role_name), header.version);
}

}  // namespace millwright::net::tuf
