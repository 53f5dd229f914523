// SPDX-License-Identifier: Apache-2.0
#include "model/bundle_manifest.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include <nlohmann/json.hpp>

#include "model/json_fields.h"

namespace millwright::model {
namespace {

using nlohmann::json;

static_assert(std::endian::native == std::endian::little,
              "bundles are little-endian and written as they lie in memory");

constexpr std::string_view kMagic = "MWBUNDLE";
constexpr size_t kHeaderBytes = 56;
constexpr uint64_t kMaxManifestBytes = 1 << 20;
constexpr size_t kMaxReportEntries = 1'000;

// In the order in which they stand in the file.
struct SectionName {
  std::string_view name;
  std::span<const std::byte> Container::* part;
};
constexpr std::array<SectionName, 8> kSections = {{{"model.onnx", &Container::model},
                                                   {"features.json", &Container::features},
                                                   {"health.json", &Container::health},
                                                   {"mean.f32", &Container::mean},
                                                   {"scale.f32", &Container::scale},
                                                   {"golden_features.f32", &Container::golden_features},
                                                   {"golden_expected.f32", &Container::golden_expected},
                                                   {"golden_windows.f32", &Container::golden_windows}}};

template <typename T>
T load(std::span<const std::byte> bytes, size_t offset) {
  T value;
  std::memcpy(&value, bytes.data() + offset, sizeof value);
  return value;
}

void append(Bytes& out, const void* data, size_t size) {
  const auto* bytes = static_cast<const std::byte*>(data);
  out.insert(out.end(), bytes, bytes + size);
}

std::span<const std::byte> float_bytes(const std::vector<float>& values) { return std::as_bytes(std::span(values)); }

json health_json(const std::vector<signal::HealthReference>& references) {
  json list = json::array();
  for (const auto& r : references) {
    list.push_back({{"rail", r.rail},
                    {"noise_floor", r.noise_floor},
                    {"high_band_ratio", r.high_band_ratio},
                    {"rms_low", r.rms_low},
                    {"rms_high", r.rms_high}});
  }
  return list;
}

json manifest_json(const Bundle& bundle) {
  const Threshold& t = bundle.threshold;
  const Lineage& l = bundle.lineage;
  return {{"name", bundle.name},
          {"score_kind", bundle.score_kind == ScoreKind::kOutput ? "output" : "reconstruction"},
          {"threshold",
           {{"offset", t.offset},
            {"threshold", t.threshold},
            {"high", t.high},
            {"critical", t.critical},
            {"false_alarm_rate", t.false_alarm_rate},
            {"ci95_low", t.ci95_low},
            {"ci95_high", t.ci95_high},
            {"held_out_windows", t.held_out_windows},
            {"method", t.method}}},
          {"golden",
           {{"tolerance_relative", bundle.golden.tolerance_relative},
            {"tolerance_absolute", bundle.golden.tolerance_absolute}}},
          {"report", bundle.report},
          {"latency_budget_ms", bundle.latency_budget_ms},
          {"lineage",
           {{"created_utc", l.created_utc},
            {"tool", l.tool},
            {"detector", l.detector},
            {"data_digest", l.data_digest},
            {"parent", l.parent},
            {"seed", l.seed},
            {"training_windows", l.training_windows}}}};
}

Result<std::map<std::string, double>> parse_figures(const json& object, std::string_view what) {
  if (!object.is_object()) return fail(ErrorCode::kInvalidInput, "{} must be an object", what);
  if (object.size() > kMaxReportEntries)
    return fail(ErrorCode::kTooLarge, "{}: over {} entries", what, kMaxReportEntries);
  std::map<std::string, double> figures;
  for (const auto& [key, value] : object.items()) figures[key] = MW_TRY_IN(what, number_at(object, key));
  return figures;
}

Result<Threshold> parse_threshold(const json& object) {
  MW_CHECK_OK(require_exactly(object, {"offset", "threshold", "high", "critical", "false_alarm_rate", "ci95_low",
                                       "ci95_high", "held_out_windows", "method"}));
  Threshold t;
  t.offset = MW_TRY(number_at(object, "offset"));
  t.threshold = MW_TRY(number_at(object, "threshold"));
  t.high = MW_TRY(number_at(object, "high"));
  t.critical = MW_TRY(number_at(object, "critical"));
  t.false_alarm_rate = MW_TRY(number_at(object, "false_alarm_rate"));
  t.ci95_low = MW_TRY(number_at(object, "ci95_low"));
  t.ci95_high = MW_TRY(number_at(object, "ci95_high"));
  t.held_out_windows = MW_TRY(count_at(object, "held_out_windows"));
  t.method = MW_TRY(text_at(object, "method"));
  return t;
}

Result<Lineage> parse_lineage(const json& object) {
  MW_CHECK_OK(require_exactly(
      object, {"created_utc", "tool", "detector", "data_digest", "parent", "seed", "training_windows"}));
  Lineage l;
  l.created_utc = MW_TRY(text_at(object, "created_utc"));
  l.tool = MW_TRY(text_at(object, "tool"));
  l.detector = MW_TRY(text_at(object, "detector"));
  l.data_digest = MW_TRY(text_at(object, "data_digest"));
  l.parent = MW_TRY(text_at(object, "parent"));
  l.seed = MW_TRY(count_at(object, "seed"));
  l.training_windows = MW_TRY(count_at(object, "training_windows"));
  return l;
}

// One section: where the manifest puts it must be where it follows the one before, and its digest must match.
Result<std::span<const std::byte>> read_section(const json& entry, std::string_view expected,
                                                std::span<const std::byte> bytes, uint64_t& offset) {
  MW_CHECK_OK(require_exactly(entry, {"name", "length", "sha256"}));
  const std::string section = MW_TRY(text_at(entry, "name"));
  if (section != expected)
    return fail(ErrorCode::kInvalidInput, "section '{}' stands where '{}' belongs", section, expected);
  const uint64_t length = MW_TRY(count_at(entry, "length"));
  if (length > bytes.size() - offset) {
    return fail(ErrorCode::kCorrupt, "section {}: {} bytes are declared, {} are left", expected, length,
                bytes.size() - offset);
  }
  const auto part = bytes.subspan(offset, length);
  const Digest declared = MW_TRY_IN(expected, Digest::from_hex(MW_TRY(text_at(entry, "sha256"))));
  if (sha256(part) != declared) return fail(ErrorCode::kCorrupt, "section {}: digest does not match", expected);
  offset += length;
  return part;
}

Result<std::string_view> read_header(std::span<const std::byte> bytes) {
  if (bytes.size() < kHeaderBytes) return fail(ErrorCode::kCorrupt, "truncated: {} bytes", bytes.size());
  if (as_text(bytes.first(kMagic.size())) != kMagic)
    return fail(ErrorCode::kCorrupt, "not a bundle (magic is missing)");
  const auto version = load<uint32_t>(bytes, 8);
  if (version != kBundleFormatVersion) {
    return fail(ErrorCode::kUnsupported, "format version {}; this program reads {}", version, kBundleFormatVersion);
  }
  const auto manifest_bytes = load<uint32_t>(bytes, 12);
  const auto total = load<uint64_t>(bytes, 16);
  if (total != bytes.size())
    return fail(ErrorCode::kCorrupt, "truncated or extended: {} of {} bytes", bytes.size(), total);
  if (manifest_bytes > kMaxManifestBytes || manifest_bytes > bytes.size() - kHeaderBytes) {
    return fail(ErrorCode::kCorrupt, "manifest: {} bytes do not fit", manifest_bytes);
  }
  const auto manifest = bytes.subspan(kHeaderBytes, manifest_bytes);
  Digest declared;
  std::memcpy(declared.bytes.data(), bytes.data() + 24, declared.bytes.size());
  if (sha256(manifest) != declared) return fail(ErrorCode::kCorrupt, "manifest: digest does not match");
  return as_text(manifest);
}

}  // namespace

Status check_name(std::string_view name) {
  const auto good = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
           c == '-';
  };
  if (name.empty() || name.size() > 64 || name.front() == '.' || !std::all_of(name.begin(), name.end(), good)) {
    return fail(ErrorCode::kInvalidInput, "name: 1 to 64 of a-z A-Z 0-9 . _ -, not starting with a dot");
  }
  return {};
}

Result<Container> read_container(std::span<const std::byte> bytes) {
  Container container;
  container.manifest = MW_TRY(read_header(bytes));
  const json manifest = MW_TRY_IN("manifest", parse_json(container.manifest));
  if (!manifest.is_object() || !manifest.contains("sections") || !manifest["sections"].is_array() ||
      manifest["sections"].size() != kSections.size()) {
    return fail(ErrorCode::kInvalidInput, "manifest: 'sections' must list {} sections", kSections.size());
  }
  uint64_t offset = kHeaderBytes + container.manifest.size();
  for (size_t i = 0; i < kSections.size(); ++i) {
    container.*kSections[i].part = MW_TRY(read_section(manifest["sections"][i], kSections[i].name, bytes, offset));
  }
  if (offset != bytes.size())
    return fail(ErrorCode::kCorrupt, "{} bytes follow the last section", bytes.size() - offset);
  return container;
}

Result<Bytes> write_container(const Bundle& bundle) {
  const std::string features = bundle.features.to_json();
  const std::string health = json_line(health_json(bundle.health));
  Container parts;
  parts.model = bundle.model;
  parts.features = std::as_bytes(std::span(features));
  parts.health = std::as_bytes(std::span(health));
  parts.mean = float_bytes(bundle.input_mean);
  parts.scale = float_bytes(bundle.input_scale);
  parts.golden_features = float_bytes(bundle.golden.features);
  parts.golden_expected = float_bytes(bundle.golden.expected);
  parts.golden_windows = float_bytes(bundle.golden.windows);

  json manifest = manifest_json(bundle);
  uint64_t total = kHeaderBytes;
  for (const SectionName& section : kSections) {
    const auto part = parts.*section.part;
    manifest["sections"].push_back({{"name", section.name}, {"length", part.size()}, {"sha256", sha256(part).hex()}});
    total += part.size();
  }
  const std::string text = json_line(manifest);
  total += text.size();
  if (text.size() > kMaxManifestBytes)
    return fail(ErrorCode::kTooLarge, "manifest: {} bytes, the limit is {}", text.size(), kMaxManifestBytes);
  if (total > kMaxBundleBytes) return fail(ErrorCode::kTooLarge, "{} bytes, the limit is {}", total, kMaxBundleBytes);

  Bytes out;
  out.reserve(total);
  const auto manifest_bytes = static_cast<uint32_t>(text.size());
  const Digest digest = sha256(text);
  append(out, kMagic.data(), kMagic.size());
  append(out, &kBundleFormatVersion, sizeof kBundleFormatVersion);
  append(out, &manifest_bytes, sizeof manifest_bytes);
  append(out, &total, sizeof total);
  append(out, digest.bytes.data(), digest.bytes.size());
  append(out, text.data(), text.size());
  for (const SectionName& section : kSections) {
    const auto part = parts.*section.part;
    append(out, part.data(), part.size());
  }
  return out;
}

Result<Bundle> parse_manifest(std::string_view text) {
  const json manifest = MW_TRY(parse_json(text));
  MW_CHECK_OK(require_exactly(
      manifest, {"name", "score_kind", "threshold", "golden", "report", "latency_budget_ms", "lineage", "sections"}));
  Bundle bundle;
  bundle.name = MW_TRY(text_at(manifest, "name"));
  const std::string kind = MW_TRY(text_at(manifest, "score_kind"));
  if (kind != "output" && kind != "reconstruction") {
    return fail(ErrorCode::kInvalidInput, "score_kind '{}' (allowed: output, reconstruction)", kind);
  }
  bundle.score_kind = kind == "output" ? ScoreKind::kOutput : ScoreKind::kReconstruction;
  bundle.threshold = MW_TRY_IN("threshold", parse_threshold(manifest["threshold"]));
  const json& golden = manifest["golden"];
  MW_CHECK_OK(require_exactly(golden, {"tolerance_relative", "tolerance_absolute"}));
  bundle.golden.tolerance_relative = MW_TRY(number_at(golden, "tolerance_relative"));
  bundle.golden.tolerance_absolute = MW_TRY(number_at(golden, "tolerance_absolute"));
  bundle.report = MW_TRY(parse_figures(manifest["report"], "report"));
  bundle.latency_budget_ms = MW_TRY(parse_figures(manifest["latency_budget_ms"], "latency_budget_ms"));
  bundle.lineage = MW_TRY_IN("lineage", parse_lineage(manifest["lineage"]));
  return bundle;
}

Result<std::vector<signal::HealthReference>> parse_health(std::string_view text) {
  const json list = MW_TRY(parse_json(text));
  if (!list.is_array() || list.size() > signal::kMaxChannels) {
    return fail(ErrorCode::kInvalidInput, "must be a list of at most {} channels", signal::kMaxChannels);
  }
  std::vector<signal::HealthReference> references;
  for (const json& entry : list) {
    MW_CHECK_OK(require_exactly(entry, {"rail", "noise_floor", "high_band_ratio", "rms_low", "rms_high"}));
    signal::HealthReference r;
    r.rail = static_cast<float>(MW_TRY(number_at(entry, "rail")));
    r.noise_floor = static_cast<float>(MW_TRY(number_at(entry, "noise_floor")));
    r.high_band_ratio = static_cast<float>(MW_TRY(number_at(entry, "high_band_ratio")));
    r.rms_low = static_cast<float>(MW_TRY(number_at(entry, "rms_low")));
    r.rms_high = static_cast<float>(MW_TRY(number_at(entry, "rms_high")));
    references.push_back(r);
  }
  return references;
}

Result<std::vector<float>> parse_floats(std::span<const std::byte> bytes) {
  if (bytes.size() % sizeof(float) != 0)
    return fail(ErrorCode::kCorrupt, "{} bytes are not whole floats", bytes.size());
  std::vector<float> values(bytes.size() / sizeof(float));
  if (!values.empty()) std::memcpy(values.data(), bytes.data(), bytes.size());
  return values;
}

}  // namespace millwright::model
