// SPDX-License-Identifier: Apache-2.0
#include "apps/millwright/samples.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include <nlohmann/json.hpp>

#include "lab/labels.h"
#include "onnx/model.h"
#include "recording/image.h"
#include "recording/raw_samples.h"

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

void SampleFormat::add_to(CLI::App& app) {
  app.add_option("--preprocess", preprocess, "of pictures: size=WxH,layout=nchw,range=0:1,mean=0:0:0,std=1:1:1");
  app.add_option("--shape", shape, "of one raw sample: 3x32x32, in C order");
  app.add_option("--dtype", type, "of raw samples: float32, float64, int8, uint8, int16, uint16, int32")
      ->capture_default_str();
}

Result<std::unique_ptr<recording::Dataset>> open_samples(const std::filesystem::path& path,
                                                         const SampleFormat& format) {
  const std::string ending = path.extension().string();
  if (!format.shape.empty()) {
    if (ending == ".npy") {
      return fail(ErrorCode::kInvalidInput, "{}: an array states its shape itself; --shape is for raw samples",
                  path.string());
    }
    return recording::open_raw_samples(path, MW_TRY(recording::parse_raw_format(format.shape, format.type)));
  }
  if (ending == ".raw" || ending == ".bin") {
    return fail(ErrorCode::kInvalidInput, "{}: raw samples do not state their shape; give --shape, as 3x32x32",
                path.string());
  }
  if (!std::filesystem::is_directory(path)) return recording::open_dataset(path);
  return recording::open_image_folder(path, MW_TRY(recording::parse_preprocess(format.preprocess)));
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
