// SPDX-License-Identifier: Apache-2.0
#include "recording/dataset.h"

#include <algorithm>

#include "base/check.h"
#include "base/digest.h"
#include "recording/npy_header.h"

namespace millwright::recording {
namespace {

constexpr uint64_t kMaxDatasetBytes = 1ULL << 40;
constexpr size_t kMaxDimensions = 8;
constexpr size_t kChunkBytes = 1 << 20;

class NpyDataset final : public Dataset {
 public:
  static Result<std::unique_ptr<Dataset>> open(const std::filesystem::path& path) {
    FileSource source = MW_TRY(FileSource::open(path, kMaxDatasetBytes));
    const NpyHeader header = MW_TRY(read_npy_header(source, kMaxDimensions));
    const NpyElement element = MW_TRY(npy_element(header.descr));
    if (header.shape.size() < 2) {
      return fail(ErrorCode::kInvalidInput,
                  "an array of {} dimensions; samples must lie along the first of at least two", header.shape.size());
    }
    if (header.fortran_order)
      return fail(ErrorCode::kUnsupported, "Fortran order; save numpy.ascontiguousarray(array)");
    std::vector<int64_t> shape;
    uint64_t values = 1;
    for (const uint64_t extent : std::span(header.shape).subspan(1)) {
      if (extent == 0 || extent > kMaxSampleValues || (values *= extent) > kMaxSampleValues) {
        return fail(ErrorCode::kTooLarge, "samples of no value or of more than {}", kMaxSampleValues);
      }
      shape.push_back(static_cast<int64_t>(extent));
    }
    const uint64_t count = header.shape.front();
    if (count == 0 || count > kMaxDatasetSamples) return fail(ErrorCode::kInvalidInput, "it holds {} samples", count);
    if (source.size() - header.data_offset != count * values * element.bytes) {
      return fail(ErrorCode::kCorrupt, "{} bytes of samples, its shape needs {}: cut short, or it holds more arrays",
                  source.size() - header.data_offset, count * values * element.bytes);
    }
    return std::unique_ptr<Dataset>(
        new NpyDataset(path, std::move(source), element, header.data_offset, count, std::move(shape)));
  }

  [[nodiscard]] size_t size() const override { return count_; }
  [[nodiscard]] const std::vector<int64_t>& shape() const override { return shape_; }

  Status read(size_t index, std::span<float> out) override {
    MW_CHECK(index < count_ && out.size() == values(), "a sample that is there, into its size");
    bytes_.resize(out.size() * element_.bytes);
    if (Status read = source_.read_at(offset_ + index * bytes_.size(), bytes_); !read) {
      return with_context(read.error(), fmt::format("{}: sample {}", path_.string(), index));
    }
    element_.convert(bytes_.data(), out, 1.0);
    return {};
  }

  Result<std::string> digest() override {
    Sha256 sum;
    std::vector<std::byte> chunk(kChunkBytes);
    for (uint64_t at = 0; at < source_.size(); at += chunk.size()) {
      chunk.resize(std::min<uint64_t>(kChunkBytes, source_.size() - at));
      MW_CHECK_OK(source_.read_at(at, chunk));
      sum.update(chunk);
    }
    return sum.finish().hex();
  }

 private:
  NpyDataset(std::filesystem::path path, FileSource source, NpyElement element, uint64_t offset, size_t count,
             std::vector<int64_t> shape)
      : path_(std::move(path)),
        source_(std::move(source)),
        element_(element),
        offset_(offset),
        count_(count),
        shape_(std::move(shape)) {}

  std::filesystem::path path_;
  FileSource source_;
  NpyElement element_;
  uint64_t offset_;
  size_t count_;
  std::vector<int64_t> shape_;
  std::vector<std::byte> bytes_;
};

class Part final : public Dataset {
 public:
  Part(Dataset& whole, size_t begin, size_t count) : whole_(whole), begin_(begin), count_(count) {
    MW_CHECK(begin + count <= whole.size(), "a part of what is there");
  }
  [[nodiscard]] size_t size() const override { return count_; }
  [[nodiscard]] const std::vector<int64_t>& shape() const override { return whole_.shape(); }
  Status read(size_t index, std::span<float> out) override {
    MW_CHECK(index < count_, "a sample that is there");
    return whole_.read(begin_ + index, out);
  }
  Result<std::string> digest() override {
    return fmt::format("{}[{},{}]", MW_TRY(whole_.digest()), begin_, begin_ + count_);
  }
  [[nodiscard]] std::span<const int64_t> labels() const override {
    const auto all = whole_.labels();
    return all.empty() ? all : all.subspan(begin_, count_);
  }

 private:
  Dataset& whole_;
  size_t begin_;
  size_t count_;
};

}  // namespace

size_t Dataset::values() const {
  size_t product = 1;
  for (const int64_t extent : shape()) product *= static_cast<size_t>(extent);
  return product;
}

Result<std::unique_ptr<Dataset>> open_dataset(const std::filesystem::path& path) {
  if (path.extension() != ".npy") {
    return fail(ErrorCode::kUnsupported, "{}: samples are read from .npy arrays", path.string());
  }
  return MW_TRY_IN(path.string(), NpyDataset::open(path));
}

std::unique_ptr<Dataset> part_of(Dataset& whole, size_t begin, size_t count) {
  return std::make_unique<Part>(whole, begin, count);
}

}  // namespace millwright::recording
