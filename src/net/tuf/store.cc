// SPDX-License-Identifier: Apache-2.0
#include "net/tuf/store.h"

#include "base/files.h"
#include "net/tuf/names.h"

namespace millwright::net::tuf {

Result<std::string> FolderStore::read(const std::string& file, uint64_t limit_bytes) {
  return read_text_file(folder_ / file, limit_bytes);
}

Status FolderStore::write(const std::string& file, std::string_view bytes) {
  return write_file_atomic(folder_ / file, bytes);
}

std::string metadata_file(std::string_view role_name) { return file_name_for(role_name) + ".json"; }

}  // namespace millwright::net::tuf
