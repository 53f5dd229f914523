// SPDX-License-Identifier: Apache-2.0
// docs/configuration.md against the parser: what a reader looks up is what the program reads.
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "base/files.h"
#include "base/numbers.h"
#include "edge/config.h"

namespace millwright::edge {
namespace {

constexpr std::string_view kRoot = R"([agent]
device_id = "box-7"
factory_id = "plant"
line_id = "line1"
state = "state"
[inference]
[updates]
root = "root.json"
metadata_url = "https://hub/metadata"
targets_url = "https://hub/targets"
[http]
[mqtt]
host = "broker"
tls = false
[[asset]]
id = "press1"
deadline_ms = 500
[asset.window]
length = 2000
rate_hz = 10000
[asset.trigger]
kind = "external"
[asset.source]
kind = "simulated-press"
[asset.output]
kind = "none"
on_no_verdict = "hold"
on_start = "stop"
on_death = "pass"
[asset.alarm]
[asset.trend]
[asset.collect]
folder = "f"
windows = 100
[asset.records]
[asset.windows]
[asset.features]
)";

struct Row {
  std::string type;
  std::string range;
};
using Table = std::map<std::string, Row>;

std::vector<std::string> cells(std::string_view line) {
  std::vector<std::string> found;
  line.remove_prefix(1);
  for (size_t bar = line.find('|'); bar != std::string_view::npos; bar = line.find('|')) {
    found.emplace_back(trim(line.substr(0, bar)));
    line.remove_prefix(bar + 1);
  }
  return found;
}

// Heading of each section to its rows.
std::map<std::string, Table> reference() {
  const std::string text = *read_text_file(MILLWRIGHT_SOURCE_DIR "/docs/configuration.md", 1 << 20);
  std::map<std::string, Table> tables;
  std::string heading;
  for (size_t at = 0; at < text.size(); at = text.find('\n', at) + 1) {
    const std::string line = text.substr(at, text.find('\n', at) - at);
    if (line.starts_with("#")) heading = line.starts_with("## ") ? line.substr(3) : "";
    if (heading.empty() || !line.starts_with("| `")) continue;
    const auto row = cells(line);
    EXPECT_EQ(row.size(), 4U) << line;
    tables[heading][row[0].substr(1, row[0].size() - 2)] = {.type = row[1], .range = row[2]};
  }
  return tables;
}

// `lines` at the beginning of a section, in place of those with the same keys.
std::string with(std::string text, const std::string& header,
                 const std::vector<std::pair<std::string, std::string>>& lines) {
  const size_t begin = text.find("\n" + header + "\n") == std::string::npos ? 0 : text.find("\n" + header + "\n") + 1;
  const size_t body = begin + header.size() + 1;
  const size_t end = std::min(text.size(), text.find("\n[", body - 1) + 1);
  std::string section = text.substr(body, end == 0 ? std::string::npos : end - body);
  for (const auto& [key, value] : lines) {
    const std::string start = key + " = ";
    const size_t old = section.starts_with(start) ? 0 : section.find("\n" + start);
    if (old != std::string::npos) {
      const size_t from = old == 0 && section.starts_with(start) ? 0 : old + 1;
      section.erase(from, section.find('\n', from) + 1 - from);
    }
    section.insert(0, fmt::format("{} = {}\n", key, value));
  }
  return text.substr(0, body) + section + (end == 0 ? "" : text.substr(end));
}

std::string problems(const std::string& text) {
  const auto config = parse_config(text, "f", "/etc");
  return config ? "" : config.error().message;
}

struct Variant {
  std::string heading;  // in the document
  std::string header;   // in the file
  std::string where;    // in messages
  std::vector<std::pair<std::string, std::string>> lines;
  std::string also = {};  // another heading whose keys are known here too
};

std::vector<Variant> variants() {
  const std::string asset = "asset 'press1'";
  const auto source = [&](const std::string& kind, std::vector<std::pair<std::string, std::string>> lines) {
    lines.emplace_back("kind", '"' + kind + '"');
    return Variant{"[asset.source] kind = \"" + kind + '"', "[asset.source]", asset + ".source", std::move(lines)};
  };
  const auto output = [&](const std::string& kind, std::vector<std::pair<std::string, std::string>> lines) {
    lines.emplace_back("kind", '"' + kind + '"');
    return Variant{"[asset.output] kind = \"" + kind + '"', "[asset.output]", asset + ".output", std::move(lines),
                   kind == "none" ? "" : "[asset.output] kind = \"none\""};
  };
  const auto trigger = [&](const std::string& kind, std::vector<std::pair<std::string, std::string>> lines) {
    lines.emplace_back("kind", '"' + kind + '"');
    return Variant{"[asset.trigger] kind = \"" + kind + '"', "[asset.trigger]", asset + ".trigger", std::move(lines)};
  };
  std::vector<Variant> all = {{"[agent]", "[agent]", "agent", {}},
                              {"[inference]", "[inference]", "inference", {}},
                              {"[updates]", "[updates]", "updates", {}},
                              {"[http]", "[http]", "http", {}},
                              {"[mqtt]", "[mqtt]", "mqtt", {}},
                              {"[[asset]]", "[[asset]]", asset, {}},
                              trigger("external", {}),
                              trigger("level", {{"level", "1.0"}}),
                              trigger("fixed", {}),
                              source("simulated-press", {}),
                              source("recording", {{"paths", "[\"a.npy\"]"}}),
                              source("udp", {{"port", "5000"}}),
                              source("mqtt", {{"topic", "\"a\""}, {"payload", "\"int16\""}}),
                              output("none", {}),
                              output("modbus-server", {}),
                              output("modbus-client", {{"address", "\"10.0.0.7\""}}),
                              output("mqtt", {{"topic", "\"a\""}})};
  for (const char* name : {"window", "alarm", "trend", "collect", "records", "windows", "features"}) {
    all.push_back(
        {fmt::format("[asset.{}]", name), fmt::format("[asset.{}]", name), fmt::format("{}.{}", asset, name), {}});
  }
  return all;
}

TEST(ConfigReference, NamesTheKeysThatAreReadAndNoOther) {
  auto tables = reference();
  ASSERT_EQ(problems(std::string(kRoot)), "");
  std::set<std::string> checked;
  for (const Variant& variant : variants()) {
    checked.insert(variant.heading);
    auto lines = variant.lines;
    ASSERT_EQ(problems(with(std::string(kRoot), variant.header, lines)), "") << variant.heading;
    lines.emplace_back("zzzzzzzzzzzz", "1");
    const std::string message = problems(with(std::string(kRoot), variant.header, lines));
    const std::string begin = variant.where + ".zzzzzzzzzzzz: unknown key; known here: ";
    ASSERT_NE(message.find(begin), std::string::npos) << variant.heading << ": " << message;
    std::set<std::string> known;
    std::string rest = message.substr(message.find(begin) + begin.size()) + ", ";
    for (size_t comma = rest.find(", "); comma != std::string::npos; comma = rest.find(", ")) {
      known.insert(rest.substr(0, comma));
      rest.erase(0, comma + 2);
    }
    std::set<std::string> written;
    for (const std::string& heading : {variant.heading, variant.also}) {
      for (const auto& [key, row] : tables[heading]) written.insert(key);
    }
    EXPECT_EQ(written, known) << variant.heading;
  }
  for (const auto& [heading, table] : tables) {
    EXPECT_TRUE(heading.empty() || checked.contains(heading)) << heading << " is not looked at";
  }
}

bool is_number(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789.e-") == std::string_view::npos;
}

TEST(ConfigReference, NamesTheRangesThatAreAllowed) {
  auto tables = reference();
  size_t ranges = 0;
  for (const Variant& variant : variants()) {
    for (const auto& [key, row] : tables[variant.heading]) {
      const size_t to = row.range.find(" to ");
      if (to == std::string::npos || !is_number(row.range.substr(0, to)) || !is_number(row.range.substr(to + 4)))
        continue;
      auto lines = variant.lines;
      std::erase_if(lines, [&](const auto& line) { return line.first == key; });
      lines.emplace_back(key, row.type == "number" ? "1e300" : "9223372036854775807");
      const std::string message = problems(with(std::string(kRoot), variant.header, lines));
      EXPECT_NE(message.find(fmt::format("{}.{}: ", variant.where, key)), std::string::npos) << key << ": " << message;
      EXPECT_NE(message.find(" is not allowed; " + row.range), std::string::npos)
          << variant.heading << key << ": " << message;
      ++ranges;
    }
  }
  EXPECT_GE(ranges, 55U);
}

}  // namespace
}  // namespace millwright::edge
