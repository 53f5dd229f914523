// SPDX-License-Identifier: Apache-2.0
#include "edge/config_section.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/nearest_word.h"
#include "edge/config.h"

namespace millwright::edge {
namespace {

constexpr size_t kMaxIdentifier = 64;

bool is_identifier(std::string_view text) {
  return !text.empty() && text.size() <= kMaxIdentifier && text != "." && text != ".." &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
                  c == '.';
         });
}

}  // namespace

void Problems::add(const toml::source_region& where, std::string_view key, std::string_view what) {
  if (lines_.size() == kMaxProblems) return;
  lines_.push_back(fmt::format("{}:{}: {}: {}", file_, where.begin.line, key, what));
}

std::string Problems::text() const { return fmt::format("{}", fmt::join(lines_, "\n")); }

std::string Section::full(std::string_view key) const {
  return path_.empty() ? std::string(key) : fmt::format("{}.{}", path_, key);
}

void Section::problem(std::string_view key, std::string_view what) {
  const toml::node* node = table_->get(key);
  problems_->add(node != nullptr ? node->source() : table_->source(), full(key), what);
}

const toml::node* Section::find(std::string_view key, bool required) {
  known_.emplace_back(key);
  const toml::node* node = table_->get(key);
  if (node == nullptr && required) problem(key, "is required and missing");
  return node;
}

void Section::number(std::string_view key, double& value, Range<double> allowed, bool required) {
  const toml::node* node = find(key, required);
  if (node == nullptr) return;
  const auto found = node->value<double>();
  if (!node->is_number() || !found) return problem(key, "must be a number");
  if (!(*found >= allowed.low && *found <= allowed.high)) {
    return problem(key, fmt::format("{} is not allowed; {} to {}", *found, allowed.low, allowed.high));
  }
  value = *found;
}

void Section::read_integer(std::string_view key, int64_t& value, Range<int64_t> allowed, bool required) {
  const toml::node* node = find(key, required);
  if (node == nullptr) return;
  if (!node->is_integer()) return problem(key, "must be a whole number");
  const int64_t found = node->as_integer()->get();
  if (found < allowed.low || found > allowed.high) {
    return problem(key, fmt::format("{} is not allowed; {} to {}", found, allowed.low, allowed.high));
  }
  value = found;
}

void Section::boolean(std::string_view key, bool& value) {
  const toml::node* node = find(key, false);
  if (node == nullptr) return;
  if (!node->is_boolean()) return problem(key, "must be true or false");
  value = node->as_boolean()->get();
}

void Section::text(std::string_view key, std::string& value, bool required) {
  const toml::node* node = find(key, required);
  if (node == nullptr) return;
  if (!node->is_string()) return problem(key, "must be text in quotes");
  value = node->as_string()->get();
}

void Section::identifier(std::string_view key, std::string& value) {
  text(key, value, true);
  if (table_->get(key) != nullptr && !is_identifier(value)) {
    problem(key, fmt::format("must be 1 to {} of: letters, digits, '-', '_', '.'", kMaxIdentifier));
  }
}

void Section::path(std::string_view key, std::filesystem::path& value, const std::filesystem::path& folder,
                   bool required) {
  std::string found;
  text(key, found, required);
  if (found.empty()) {
    if (table_->get(key) != nullptr) problem(key, "must name a file or folder");
    return;
  }
  if (found.find('\0') != std::string::npos) return problem(key, "must not hold a zero byte");
  value = (folder / found).lexically_normal();
}

void Section::texts(std::string_view key, std::vector<std::string>& values) {
  const toml::node* node = find(key, false);
  if (node == nullptr) return;
  const toml::array* array = node->as_array();
  if (array == nullptr || !std::all_of(array->begin(), array->end(), [](const auto& n) { return n.is_string(); })) {
    return problem(key, "must be a list of texts, [\"a\", \"b\"]");
  }
  values.clear();
  for (const auto& element : *array) values.push_back(element.as_string()->get());
}

size_t Section::choice(std::string_view key, std::span<const std::string_view> choices, size_t preset, bool required) {
  std::string found;
  text(key, found, required);
  if (key == "kind") kind_known_ = false;
  if (table_->get(key) == nullptr || !table_->get(key)->is_string()) return preset;
  for (size_t i = 0; i < choices.size(); ++i) {
    if (choices[i] != found) continue;
    if (key == "kind") kind_known_ = true;
    return i;
  }
  const auto meant = nearest_word(found, std::vector<std::string>(choices.begin(), choices.end()));
  problem(key, fmt::format("'{}' is not allowed; {}one of: {}", found,
                           meant ? fmt::format("did you mean '{}'? ", *meant) : "", fmt::join(choices, ", ")));
  return preset;
}

std::optional<Section> Section::section(std::string_view key, bool required) {
  const toml::node* node = find(key, required);
  if (node == nullptr) return std::nullopt;
  if (!node->is_table()) {
    problem(key, "must be a section");
    return std::nullopt;
  }
  return Section(*node->as_table(), full(key), *problems_);
}

void Section::finish() {
  if (!kind_known_) return;
  for (const auto& [key, node] : *table_) {
    const std::string_view word = key.str();
    if (std::find(known_.begin(), known_.end(), word) != known_.end()) continue;
    const auto meant = nearest_word(word, known_);
    problems_->add(key.source(), full(word),
                   meant ? fmt::format("unknown key; did you mean '{}'?", *meant)
                         : fmt::format("unknown key; known here: {}", fmt::join(known_, ", ")));
  }
}

}  // namespace millwright::edge
