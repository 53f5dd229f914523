// SPDX-License-Identifier: Apache-2.0
#include "recording/raw_samples.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <optional>
#include <string>
#include <utility>

#include "base/check.h"
#include "base/digest.h"
#include "recording/byte_source.h"
#include "recording/recording.h"

namespace millwright::recording {
namespace {

constexpr uint64_t kMaxRawBytes = 1ULL << 40;
constexpr size_t kMaxRank = 8;
constexpr size_t kChunkBytes = 1 << 20;
// As NumPy's files name them.
constexpr std::array<std::pair<std::string_view, std::string_view>, 7> kTypes = {{{"float32", "<f4"},
                                                                                  {"float64", "<f8"},
                                                                                  {"int8", "|i1"},
                                                                                  {"uint8", "|u1"},
                                                                                  {"int16", "<i2"},
                                                                                  {"uint16", "<u2"},
                                                                                  {"int32", "<i4"}}};

struct Part {
  std::filesystem::path path;
  size_t first = 0;  // its first sample's number
  size_t count = 0;
};

class RawDataset final : public Dataset {
 public:
  RawDataset(std::vector<Part> parts, RawFormat format) : parts_(std::move(parts)), format_(std::move(format)) {
    bytes_.resize(values() * format_.element.bytes);
  }

  [[nodiscard]] size_t size() const override { return parts_.back().first + parts_.back().count; }
  [[nodiscard]] const std::vector<int64_t>& shape() const override { return format_.shape; }

  Status read(size_t index, std::span<float> out) override {
    MW_CHECK(index < size() && out.size() == values(), "a sample that is there, into its size");
    const auto after = std::ranges::upper_bound(parts_, index, {}, &Part::first);
    const auto place = static_cast<size_t>(after - parts_.begin()) - 1;
    const Part& part = parts_[place];
    const auto context = [&](const Error& error) {
      return with_context(error, fmt::format("{}: sample {}", part.path.string(), index - part.first));
    };
    if (!source_ || open_ != place) {
      auto opened = FileSource::open(part.path, kMaxRawBytes);
      if (!opened) return context(opened.error());
      source_ = *std::move(opened);
      open_ = place;
    }
    if (Status read = source_->read_at((index - part.first) * bytes_.size(), bytes_); !read) {
      return context(read.error());
    }
    format_.element.convert(bytes_.data(), out, 1.0);
    return {};
  }

  // Of the samples alone: in how many files they lie is no matter.
  Result<std::string> digest() override {
    Sha256 sum;
    std::vector<std::byte> chunk;
    for (const Part& part : parts_) {
      FileSource source = MW_TRY_IN(part.path.string(), FileSource::open(part.path, kMaxRawBytes));
      for (uint64_t at = 0; at < source.size(); at += chunk.size()) {
        chunk.resize(std::min<uint64_t>(kChunkBytes, source.size() - at));
        MW_CHECK_OK(source.read_at(at, chunk));
        sum.update(chunk);
      }
    }
    return sum.finish().hex();
  }

 private:
  std::vector<Part> parts_;
  RawFormat format_;
  std::optional<FileSource> source_;
  size_t open_ = 0;  // whose file source_ is
  std::vector<std::byte> bytes_;
};

bool is_raw(const std::filesystem::path& path) {
  std::string ending = path.extension().string();
  std::ranges::transform(ending, ending.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return ending == ".raw" || ending == ".bin";
}

Result<std::vector<std::filesystem::path>> files_of(const std::filesystem::path& path) {
  if (!std::filesystem::is_directory(path)) return std::vector{path};
  std::vector<std::filesystem::path> found;
  std::error_code error;
  for (std::filesystem::directory_iterator it(path, error), end; !error && it != end; it.increment(error)) {
    if (!it->path().filename().string().starts_with('.') && is_raw(it->path())) found.push_back(it->path());
  }
  if (error) return fail(ErrorCode::kNotFound, "{}: {}", path.string(), error.message());
  if (found.empty()) return fail(ErrorCode::kInvalidInput, "{}: no raw samples (.raw, .bin)", path.string());
  std::ranges::sort(found);
  return found;
}

}  // namespace

Result<RawFormat> parse_raw_format(std::string_view shape, std::string_view type) {
  RawFormat out;
  uint64_t values = 1;
  for (size_t at = 0; at <= shape.size();) {
    const size_t end = std::min(shape.find('x', at), shape.size());
    const std::string_view word = shape.substr(at, end - at);
    int64_t extent = 0;
    const auto [stop, error] = std::from_chars(word.data(), word.data() + word.size(), extent);
    if (error != std::errc() || stop != word.data() + word.size() || extent < 1) {
      return fail(ErrorCode::kInvalidInput, "shape '{}': '{}' is no size; sizes of one sample, as 3x32x32", shape,
                  word);
    }
    if (static_cast<uint64_t>(extent) > kMaxSampleValues ||
        (values *= static_cast<uint64_t>(extent)) > kMaxSampleValues) {
      return fail(ErrorCode::kTooLarge, "shape '{}': more than {} values", shape, kMaxSampleValues);
    }
    out.shape.push_back(extent);
    at = end + 1;
  }
  if (out.shape.size() > kMaxRank) {
    return fail(ErrorCode::kInvalidInput, "shape '{}': more than {} axes", shape, kMaxRank);
  }
  const auto found = std::ranges::find(kTypes, type, &std::pair<std::string_view, std::string_view>::first);
  if (found == kTypes.end()) {
    return fail(ErrorCode::kInvalidInput,
                "type '{}': raw samples are of float32, float64, int8, uint8, int16, uint16 or int32", type);
  }
  out.type = found->first;
  out.element = MW_TRY(npy_element(found->second));
  return out;
}

Result<std::unique_ptr<Dataset>> open_raw_samples(const std::filesystem::path& path, const RawFormat& format) {
  uint64_t bytes = format.element.bytes;
  std::string sizes;
  for (const int64_t extent : format.shape) {
    bytes *= static_cast<uint64_t>(extent);
    sizes += fmt::format("{}{}", sizes.empty() ? "" : "x", extent);
  }
  std::vector<Part> parts;
  size_t count = 0;
  for (auto& file : MW_TRY(files_of(path))) {
    if (parts.size() >= kMaxFiles)
      return fail(ErrorCode::kTooLarge, "{}: more than {} files", path.string(), kMaxFiles);
    const FileSource source = MW_TRY_IN(file.string(), FileSource::open(file, kMaxRawBytes));
    if (source.size() == 0 || source.size() % bytes != 0) {
      return fail(ErrorCode::kCorrupt,
                  "{}: {} bytes; a sample of shape {} of {} has {}, and a file a whole number of them", file.string(),
                  source.size(), sizes, format.type, bytes);
    }
    const auto here = static_cast<size_t>(source.size() / bytes);
    parts.push_back({.path = std::move(file), .first = count, .count = here});
    count += here;
    if (count > kMaxDatasetSamples)
      return fail(ErrorCode::kTooLarge, "{}: more than {} samples", path.string(), kMaxDatasetSamples);
  }
  return std::unique_ptr<Dataset>(std::make_unique<RawDataset>(std::move(parts), format));
}

}  // namespace millwright::recording
