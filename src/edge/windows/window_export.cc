// SPDX-License-Identifier: Apache-2.0
#include "edge/windows/window_export.h"

#include <algorithm>
#include <array>
#include <string>

#include "base/files.h"
#include "recording/recording.h"

namespace millwright::edge {
namespace {

constexpr uint64_t kMaxExportBytes = 1ULL << 30;
constexpr std::array<const char*, 3> kFolders = {"normal", "anomalous", "unlabelled"};

struct Set {
  std::vector<float> samples;
  uint64_t windows = 0;
};

Status write_set(const Set& set, const KeptWindow& shape, const std::filesystem::path& folder) {
  if (set.windows == 0) return {};
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) return fail(ErrorCode::kIo, "{}: cannot create the folder: {}", folder.string(), error.message());
  std::vector<size_t> extents = {set.windows, shape.channels, shape.length};
  if (shape.channels == 1) extents = {set.windows, shape.length};
  return recording::write_npy(folder / (shape.asset_id + ".npy"), set.samples, extents);
}

}  // namespace

LabelClass class_of(const KeptWindow& window) {
  if (window.label == "true") return LabelClass::kAnomalous;
  if (window.label == "nuisance") return LabelClass::kNormal;
  return window.label.empty() && window.why == KeptFor::kNormal ? LabelClass::kNormal : LabelClass::kUnlabelled;
}

Result<std::vector<KeptWindow>> list_windows(const std::filesystem::path& folder) {
  std::error_code error;
  if (!std::filesystem::is_directory(folder, error)) {
    return fail(ErrorCode::kNotFound, "{}: no folder of kept windows; it is STATE/windows/ASSET", folder.string());
  }
  std::vector<KeptWindow> windows;
  for (const auto& file : std::filesystem::directory_iterator(folder, error)) {
    if (file.path().extension() != ".json") continue;
    const auto text = read_text_file(file.path(), kMaxKeptJson);
    // The agent may have given it up since it was listed.
    if (auto window = text ? parse_kept_window(*text) : std::unexpected(text.error())) {
      windows.push_back(std::move(*window));
    }
  }
  if (error) return fail(ErrorCode::kIo, "{}: cannot be read: {}", folder.string(), error.message());
  std::ranges::sort(windows, {}, &KeptWindow::stroke_id);
  return windows;
}

Result<ExportReport> export_windows(const std::filesystem::path& folder, const std::filesystem::path& out) {
  const std::vector<KeptWindow> windows = MW_TRY(list_windows(folder));
  if (windows.empty()) return fail(ErrorCode::kInvalidInput, "{}: no windows", folder.string());
  const KeptWindow& shape = windows.back();
  std::array<Set, 3> sets;
  std::string index;
  uint64_t bytes = 0;
  ExportReport report;
  for (const KeptWindow& window : windows) {
    if (window.channels != shape.channels || window.length != shape.length) {
      return fail(ErrorCode::kInvalidInput,
                  "{}: stroke {} has {} x {} samples, stroke {} has {} x {}; move the older ones elsewhere",
                  folder.string(), window.stroke_id, window.channels, window.length, shape.stroke_id, shape.channels,
                  shape.length);
    }
    const auto samples = recording::read_recording(samples_file(folder, window.stroke_id));
    if (!samples || samples->samples.size() != shape.channels * shape.length) {
      ++report.gone;
      continue;
    }
    bytes += samples->samples.size() * sizeof(float);
    if (bytes > kMaxExportBytes)
      return fail(ErrorCode::kTooLarge, "{}: above {} bytes", folder.string(), kMaxExportBytes);
    const auto which = static_cast<size_t>(class_of(window));
    Set& set = sets[which];
    set.samples.insert(set.samples.end(), samples->samples.begin(), samples->samples.end());
    std::string facts = to_json(window);
    facts.pop_back();
    index += fmt::format("{{\"set\":\"{}\",\"row\":{},\"facts\":{}}}\n", kFolders[which], set.windows, facts);
    ++set.windows;
  }
  for (size_t i = 0; i < sets.size(); ++i) MW_CHECK_OK(write_set(sets[i], shape, out / kFolders[i]));
  std::error_code error;
  std::filesystem::create_directories(out, error);
  MW_CHECK_OK(write_file_atomic(out / (shape.asset_id + ".jsonl"), index));
  report.rate_hz = shape.rate_hz;
  report.normal = sets[0].windows;
  report.anomalous = sets[1].windows;
  report.unlabelled = sets[2].windows;
  return report;
}

}  // namespace millwright::edge
