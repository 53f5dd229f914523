// SPDX-License-Identifier: Apache-2.0
// The container around a bundle's parts and its manifest; FORMAT.md has the grammar. Used by bundle.cc alone.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "model/bundle.h"

namespace millwright::model {

// The parts of a bundle file after every digest was checked; views into the file's bytes.
struct Container {
  std::string_view manifest;
  std::span<const std::byte> model;
  std::span<const std::byte> features;
  std::span<const std::byte> health;
  std::span<const std::byte> mean;
  std::span<const std::byte> scale;
  std::span<const std::byte> golden_features;
  std::span<const std::byte> golden_expected;
  std::span<const std::byte> golden_windows;
};

Result<Container> read_container(std::span<const std::byte> bytes);
Result<Bytes> write_container(const Bundle& bundle);

// Everything that stands in the manifest itself: name, threshold, report, budgets, lineage.
Result<Bundle> parse_manifest(std::string_view text);

Result<std::vector<signal::HealthReference>> parse_health(std::string_view text);
Result<std::vector<float>> parse_floats(std::span<const std::byte> bytes);

// 1 to 64 of a-z A-Z 0-9 . _ -, not starting with a dot: a name is part of paths and topics.
Status check_name(std::string_view name);

}  // namespace millwright::model
