// SPDX-License-Identifier: Apache-2.0
// The part of the configuration that says who runs the models.
#pragma once

#include <filesystem>

#include "edge/config.h"
#include "edge/config_section.h"

namespace millwright::edge {

void read_inference(Section section, InferenceConfig& inference, const std::filesystem::path& folder);

}  // namespace millwright::edge
