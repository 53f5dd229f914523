// SPDX-License-Identifier: Apache-2.0
#include "apps/millwright/calibrated.h"

#include "base/digest.h"
#include "base/files.h"
#include "lab/calibration_table.h"

namespace millwright::apps {
namespace {

constexpr uint64_t kMaxRecordBytes = 64ULL << 20;

}  // namespace

Result<Calibrated> calibrated(std::span<const std::byte> model, recording::Dataset& samples, const SampleFormat& format,
                              lab::CalibrationMethod method, bool equalize, const std::filesystem::path& record) {
  // The same bytes read in another way are other samples, and a dataset's own digest is of its bytes.
  const std::string how =
      fmt::format("{}\n{}\n{}\n{}\n", MW_TRY(samples.digest()), format.preprocess, format.shape, format.type);
  const lab::CalibrationKey key = {.model_digest = sha256(model).hex(),
                                   .data_digest = sha256(std::as_bytes(std::span(how))).hex(),
                                   .method = std::string(lab::name(method)),
                                   .tool_version = MILLWRIGHT_VERSION,
                                   .is_equalized = equalize};
  const lab::CalibrationOptions options = {.method = method, .progress = progress("calibrated")};
  std::vector<std::string> differs;
  if (!record.empty() && std::filesystem::exists(record)) {
    const Bytes bytes = MW_TRY(read_file(record, kMaxRecordBytes));
    // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast): bytes as the text that they are
    const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    lab::CalibrationRecord known = MW_TRY_IN(record.string(), lab::read_calibration_record(text));
    differs = lab::differences(known.key, key);
    if (differs.empty()) {
      auto quantizer = MW_TRY_IN(
          record.string(),
          lab::Int8Quantizer::create(model, samples, options, {.measured = &known.ranges, .equalize = equalize}));
      return Calibrated{std::move(quantizer), std::move(known), true, {}};
    }
  }
  auto quantizer = MW_TRY(lab::Int8Quantizer::create(model, samples, options, {.equalize = equalize}));
  lab::CalibrationRecord measured{.key = key, .ranges = quantizer.ranges()};
  if (!record.empty()) MW_CHECK_OK(write_file_atomic(record, lab::to_json(measured)));
  return Calibrated{std::move(quantizer), std::move(measured), false, std::move(differs)};
}

Status write_calibration(const std::filesystem::path& model, const lab::CalibrationRecord& record) {
  const std::string stem = model.string();
  MW_CHECK_OK(write_file_atomic(stem + ".calibration.json", lab::to_json(record)));
  MW_CHECK_OK(write_file_atomic(stem + ".calibration.cache", lab::tensorrt_cache(record)));
  return write_file_atomic(stem + ".calibration.flatbuffers", MW_TRY(lab::flatbuffers_table(record)));
}

}  // namespace millwright::apps
