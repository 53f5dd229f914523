// SPDX-License-Identifier: Apache-2.0
#include "edge/config_updates.h"

namespace millwright::edge {
namespace {

constexpr int64_t kLeastPollS = 10;
constexpr int64_t kMostPollS = 7 * 86'400;
constexpr int64_t kMostProbationS = 30 * 86'400;
constexpr int64_t kMostVerdicts = 1'000'000;

// A path counts from the configuration's folder.
void read_place(Section& section, std::string_view key, std::string& place, const std::filesystem::path& folder) {
  section.text(key, place, true);
  if (place.empty() || place.starts_with("https://")) return;
  if (place.find("://") != std::string::npos) {
    section.problem(key, fmt::format("'{}': https:// or a folder of this box", place));
    return;
  }
  place = (folder / place).lexically_normal().string();
}

}  // namespace

void read_updates(Section section, UpdatesConfig& updates, const std::filesystem::path& folder) {
  section.path("root", updates.root, folder, true);
  read_place(section, "metadata_url", updates.metadata_url, folder);
  read_place(section, "targets_url", updates.targets_url, folder);
  section.path("ca_file", updates.ca_file, folder);
  section.path("certificate_file", updates.certificate_file, folder);
  section.path("key_file", updates.key_file, folder, !updates.certificate_file.empty());
  section.integer("poll_s", updates.poll_s, {kLeastPollS, kMostPollS});
  std::string window;
  section.text("window", window);
  if (section.has("window")) {
    const auto parsed = parse_day_window(window);
    if (parsed) {
      updates.window = *parsed;
    } else {
      section.problem("window", parsed.error().message);
    }
  }
  section.integer("probation_s", updates.probation_s, {0, kMostProbationS});
  section.integer("probation_verdicts", updates.probation_verdicts, {1, kMostVerdicts});
  section.finish();
}

}  // namespace millwright::edge
