// SPDX-License-Identifier: Apache-2.0
// A model as `inspect` shows it: one JSON object, and tables of its nodes for people.
#pragma once

#include <span>
#include <string>

#include <nlohmann/json_fwd.hpp>

#include "base/error.h"
#include "inference/rung.h"

namespace millwright::apps {

// Keys: those of the file (kind, sha256, ...), multiply_adds, memory, runtime, node_list. Errors as lab::anatomy.
Result<nlohmann::json> model_json(std::span<const std::byte> model, const inference::Rung& rung);

// For people: what one run asks and what the runtime makes of it, in a few lines; a line for each node and each kernel.
std::string work_text(const nlohmann::json& model);
std::string node_tables(const nlohmann::json& model);

// A model's own words may hold anything, also what moves a terminal's cursor.
std::string printable(std::string text);

}  // namespace millwright::apps
