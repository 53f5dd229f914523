// SPDX-License-Identifier: Apache-2.0
// The part of the configuration that says where other models come from.
#pragma once

#include <filesystem>

#include "edge/config.h"
#include "edge/config_section.h"

namespace millwright::edge {

void read_updates(Section section, UpdatesConfig& updates, const std::filesystem::path& folder);

}  // namespace millwright::edge
