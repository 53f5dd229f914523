// SPDX-License-Identifier: Apache-2.0
#include "lab/labels.h"

#include <cmath>

#include "base/files.h"
#include "base/numbers.h"
#include "recording/recording.h"

namespace millwright::lab {
namespace {

constexpr uint64_t kMaxLabelBytes = 64 << 20;

Result<std::vector<double>> read_lines(const std::filesystem::path& path) {
  const std::string text = MW_TRY(read_text_file(path, kMaxLabelBytes));
  std::vector<double> labels;
  size_t line = 1;
  for (size_t at = 0; at < text.size(); ++line) {
    const size_t end = std::min(text.find('\n', at), text.size());
    const auto value = parse_double(trim(std::string_view(text).substr(at, end - at)));
    if (!value || !std::isfinite(*value)) {
      return fail(ErrorCode::kInvalidInput, "{}: line {}: a label is one number", path.string(), line);
    }
    labels.push_back(*value);
    at = end + 1;
  }
  return labels;
}

}  // namespace

Result<std::vector<double>> read_labels(const std::filesystem::path& path, size_t samples) {
  std::vector<double> labels;
  if (path.extension() == ".npy") {
    const auto array = MW_TRY(recording::read_recording(path));
    labels.assign(array.samples.begin(), array.samples.end());
  } else {
    labels = MW_TRY(read_lines(path));
  }
  if (labels.size() == samples) return labels;
  return fail(ErrorCode::kInvalidInput, "{}: {} labels for {} samples", path.string(), labels.size(), samples);
}

}  // namespace millwright::lab
