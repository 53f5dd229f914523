// SPDX-License-Identifier: Apache-2.0
#include "apps/millwright/samples.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include <nlohmann/json.hpp>

#include "lab/labels.h"
#include "onnx/model.h"
#include "recording/image.h"

namespace millwright::apps {
namespace {

constexpr uint64_t kMaxModelBytes = 512ULL << 20;

}  // namespace

std::function<void(size_t, size_t)> progress(const char* what) {
  if (::isatty(STDERR_FILENO) == 0) return {};
  return [what](size_t done, size_t all) {
    if (done != all && done % std::max<size_t>(all / 100, 1) != 0) return;
    fmt::print(stderr, "\r{} {} of {}{}", what, done, all, done == all ? "\n" : "");
    std::fflush(stderr);
  };
}

Result<Bytes> read_model(const std::filesystem::path& path) {
  Bytes bytes = MW_TRY(read_file(path, kMaxModelBytes));
  (void)MW_TRY_IN(path.string(), onnx::Model::parse(bytes));
  return bytes;
}

Result<std::unique_ptr<recording::Dataset>> open_samples(const std::filesystem::path& path,
                                                         const std::string& preprocess) {
  if (!std::filesystem::is_directory(path)) return recording::open_dataset(path);
  return recording::open_image_folder(path, MW_TRY(recording::parse_preprocess(preprocess)));
}

Result<std::vector<double>> labels_of(const std::filesystem::path& path, const recording::Dataset& samples) {
  if (!path.empty()) return lab::read_labels(path, samples.size());
  return std::vector<double>(samples.labels().begin(), samples.labels().end());
}

nlohmann::json comparison_json(const lab::Comparison& comparison) {
  return {{"metric", lab::name(comparison.metric)},
          {"n", comparison.n},
          {"metric_a", comparison.metric_a},
          {"metric_b", comparison.metric_b},
          {"drop", comparison.drop},
          {"drop_ci95", {comparison.drop_ci95.low, comparison.drop_ci95.high}},
          {"agreement", comparison.agreement},
          {"max_abs_diff", comparison.max_abs_diff}};
}

}  // namespace millwright::apps
