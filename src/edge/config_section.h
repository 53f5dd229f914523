// SPDX-License-Identifier: Apache-2.0
// One table of the configuration, read strictly: each key is asked for with what is allowed; at the end whatever was
// not asked for is unknown. Problems are gathered, so that one run shows them all.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#define TOML_EXCEPTIONS 0
#include <toml++/toml.h>

namespace millwright::edge {

// Lines for the reader, in the order of discovery.
class Problems {
 public:
  explicit Problems(std::string file) : file_(std::move(file)) {}
  void add(const toml::source_region& where, std::string_view key, std::string_view what);
  [[nodiscard]] bool none() const { return lines_.empty(); }
  [[nodiscard]] std::string text() const;

 private:
  std::string file_;
  std::vector<std::string> lines_;
};

template <typename T>
struct Range {
  T low;
  T high;
};

class Section {
 public:
  // `path` is how the section is called in messages ("asset 'press1': alarm").
  Section(const toml::table& table, std::string path, Problems& problems)
      : table_(&table), path_(std::move(path)), problems_(&problems) {}

  // Each leaves `value` as it is where the key is absent; a required key that is absent is a problem.
  void number(std::string_view key, double& value, Range<double> allowed, bool required = false);
  template <typename Int>
  void integer(std::string_view key, Int& value, Range<int64_t> allowed, bool required = false) {
    int64_t wide = static_cast<int64_t>(value);
    read_integer(key, wide, allowed, required);
    value = static_cast<Int>(wide);
  }
  void boolean(std::string_view key, bool& value);
  void text(std::string_view key, std::string& value, bool required = false);
  // Letters, digits, '-', '_' and '.': it becomes a part of topics, labels and file names.
  void identifier(std::string_view key, std::string& value);
  void path(std::string_view key, std::filesystem::path& value, const std::filesystem::path& folder,
            bool required = false);
  void texts(std::string_view key, std::vector<std::string>& values);
  // The index of the value among `choices`.
  size_t choice(std::string_view key, std::span<const std::string_view> choices, size_t preset, bool required = false);
  // A table below; nullopt where there is none.
  std::optional<Section> section(std::string_view key, bool required = false);

  void problem(std::string_view key, std::string_view what);
  // The key is read elsewhere.
  void expect(std::string_view key) { known_.emplace_back(key); }
  // Complains about every key that was never asked for.
  void finish();

 private:
  const toml::node* find(std::string_view key, bool required);
  void read_integer(std::string_view key, int64_t& value, Range<int64_t> allowed, bool required);
  [[nodiscard]] std::string full(std::string_view key) const;

  const toml::table* table_;
  std::string path_;
  Problems* problems_;
  std::vector<std::string> known_;
};

// The known word nearest to `word` by edits, if it is near enough to be meant.
std::optional<std::string> nearest(std::string_view word, std::span<const std::string> known);

}  // namespace millwright::edge
