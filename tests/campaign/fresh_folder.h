// SPDX-License-Identifier: Apache-2.0
// A folder for one run of a campaign. Whoever made it removes it, or leaves it for a person to look at.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>

#include "base/check.h"

namespace millwright::campaign {

inline std::filesystem::path fresh_folder() {
  std::string name = (std::filesystem::temp_directory_path() / "millwright-campaign-XXXXXX").string();
  MW_CHECK(::mkdtemp(name.data()) != nullptr, "a campaign needs a folder");
  return name;
}

}  // namespace millwright::campaign
