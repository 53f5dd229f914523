// SPDX-License-Identifier: Apache-2.0
#include "recording/image.h"

#include <png.h>
#include <turbojpeg.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <string>

#include "base/check.h"
#include "base/digest.h"
#include "base/files.h"
#include "base/numbers.h"

namespace millwright::recording {
namespace {

constexpr size_t kChannels = 3;

Status check_sides(uint64_t width, uint64_t height) {
  if (width >= 1 && height >= 1 && width <= kMaxImageSide && height <= kMaxImageSide &&
      width * height <= kMaxImagePixels) {
    return {};
  }
  return fail(ErrorCode::kTooLarge, "a picture of {} x {}; up to {} a side and {} million pixels are taken", width,
              height, kMaxImageSide, kMaxImagePixels >> 20);
}

Result<Image> decode_jpeg(std::span<const std::byte> file) {
  const std::unique_ptr<void, int (*)(tjhandle)> decoder(tjInitDecompress(), tjDestroy);
  if (decoder == nullptr) return fail(ErrorCode::kTooLarge, "JPEG: no memory");
  const auto* bytes = reinterpret_cast<const unsigned char*>(file.data());
  int width = 0;
  int height = 0;
  int subsampling = 0;
  int colours = 0;
  if (tjDecompressHeader3(decoder.get(), bytes, file.size(), &width, &height, &subsampling, &colours) != 0) {
    return fail(ErrorCode::kCorrupt, "JPEG: {}", tjGetErrorStr2(decoder.get()));
  }
  MW_CHECK_OK(check_sides(static_cast<uint64_t>(width), static_cast<uint64_t>(height)));
  Image image{.width = static_cast<size_t>(width), .height = static_cast<size_t>(height), .rgb = {}};
  image.rgb.resize(image.width * image.height * kChannels);
  if (tjDecompress2(decoder.get(), bytes, file.size(), image.rgb.data(), width, 0, height, TJPF_RGB,
                    TJFLAG_ACCURATEDCT | TJFLAG_STOPONWARNING) != 0) {
    return fail(ErrorCode::kCorrupt, "JPEG: {}", tjGetErrorStr2(decoder.get()));
  }
  return image;
}

Result<Image> decode_png(std::span<const std::byte> file) {
  png_image png{};
  png.version = PNG_IMAGE_VERSION;
  const std::unique_ptr<png_image, void (*)(png_imagep)> owner(&png, png_image_free);
  if (png_image_begin_read_from_memory(&png, file.data(), file.size()) == 0) {
    return fail(ErrorCode::kCorrupt, "PNG: {}", png.message);
  }
  MW_CHECK_OK(check_sides(png.width, png.height));
  png.format = PNG_FORMAT_RGB;
  Image image{.width = png.width, .height = png.height, .rgb = {}};
  image.rgb.resize(image.width * image.height * kChannels);
  const png_color black{};
  if (png_image_finish_read(&png, &black, image.rgb.data(), 0, nullptr) == 0) {
    return fail(ErrorCode::kCorrupt, "PNG: {}", png.message);
  }
  return image;
}

// Where a pixel of the result lies in the picture: two neighbours and the share of the second.
struct Between {
  size_t first;
  size_t second;
  float share;
};

Between between(size_t index, size_t from, size_t to) {
  const double centre = (static_cast<double>(index) + 0.5) * static_cast<double>(from) / static_cast<double>(to) - 0.5;
  const double clamped = std::clamp(centre, 0.0, static_cast<double>(from - 1));
  const auto first = static_cast<size_t>(clamped);
  return {first, std::min(first + 1, from - 1), static_cast<float>(clamped - static_cast<double>(first))};
}

Result<std::array<float, 3>> three(std::string_view word, std::string_view text) {
  std::array<float, 3> out{};
  size_t count = 0;
  for (size_t at = 0; at <= text.size() && count < out.size(); ++count) {
    const size_t end = std::min(text.find(':', at), text.size());
    const auto value = parse_double(text.substr(at, end - at));
    if (!value) return fail(ErrorCode::kInvalidInput, "preprocess: {}={}: numbers with ':' between", word, text);
    out[count] = static_cast<float>(*value);
    at = end + 1;
    if (end == text.size()) {
      ++count;
      break;
    }
  }
  if (count == 1) out[2] = out[1] = out[0];
  if (count == 2 && word == "range") return out;
  if (count == 2 || count == 0) return fail(ErrorCode::kInvalidInput, "preprocess: {}={}: one or three", word, text);
  return out;
}

Status take_word(std::string_view key, std::string_view value, Preprocess& out) {
  if (key == "size") {
    const size_t x = value.find('x');
    const auto width = parse_int(value.substr(0, x));
    const auto height = x == std::string_view::npos ? width : parse_int(value.substr(x + 1));
    if (!width || !height || *width < 1 || *height < 1) {
      return fail(ErrorCode::kInvalidInput, "preprocess: size={}: 224x224", value);
    }
    MW_CHECK_OK(check_sides(static_cast<uint64_t>(*width), static_cast<uint64_t>(*height)));
    out.width = static_cast<size_t>(*width);
    out.height = static_cast<size_t>(*height);
  } else if (key == "layout" && (value == "nchw" || value == "nhwc")) {
    out.layout = value == "nchw" ? Preprocess::Layout::kNchw : Preprocess::Layout::kNhwc;
  } else if (key == "color" && (value == "rgb" || value == "gray")) {
    out.gray = value == "gray";
  } else if (key == "range") {
    const auto ends = MW_TRY(three(key, value));
    out.low = ends[0];
    out.high = ends[1];
  } else if (key == "mean") {
    out.mean = MW_TRY(three(key, value));
  } else if (key == "std") {
    out.std = MW_TRY(three(key, value));
    if (std::ranges::any_of(out.std, [](float one) { return !(one > 0.0F); })) {
      return fail(ErrorCode::kInvalidInput, "preprocess: std={}: above 0", value);
    }
  } else {
    return fail(
        ErrorCode::kInvalidInput,
        "preprocess: '{}={}': size=WxH, layout=nchw|nhwc, color=rgb|gray, range=LOW:HIGH, mean=R:G:B, std=R:G:B", key,
        value);
  }
  return {};
}

class ImageFolder final : public Dataset {
 public:
  ImageFolder(std::vector<std::filesystem::path> files, std::vector<int64_t> labels, Preprocess how)
      : files_(std::move(files)), labels_(std::move(labels)), how_(how) {
    const auto width = static_cast<int64_t>(how_.width);
    const auto height = static_cast<int64_t>(how_.height);
    const int64_t channels = how_.gray ? 1 : 3;
    shape_ = how_.layout == Preprocess::Layout::kNchw ? std::vector{channels, height, width}
                                                      : std::vector{height, width, channels};
  }

  [[nodiscard]] size_t size() const override { return files_.size(); }
  [[nodiscard]] const std::vector<int64_t>& shape() const override { return shape_; }
  [[nodiscard]] std::span<const int64_t> labels() const override { return labels_; }

  Status read(size_t index, std::span<float> out) override {
    MW_CHECK(index < files_.size() && out.size() == values(), "a sample that is there, into its size");
    const std::filesystem::path& path = files_[index];
    const Bytes bytes = MW_TRY(read_file(path, kMaxImageFileBytes));
    const Image image = MW_TRY_IN(path.string(), decode_image(bytes));
    preprocess(image, how_, out);
    return {};
  }

  Result<std::string> digest() override {
    Sha256 sum;
    for (const auto& path : files_) {
      const Bytes bytes = MW_TRY(read_file(path, kMaxImageFileBytes));
      sum.update(path.filename().string());
      sum.update(bytes);
    }
    return sum.finish().hex();
  }

 private:
  std::vector<std::filesystem::path> files_;
  std::vector<int64_t> labels_;
  Preprocess how_;
  std::vector<int64_t> shape_;
};

bool is_image(const std::filesystem::path& path) {
  std::string ending = path.extension().string();
  std::ranges::transform(ending, ending.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return ending == ".jpg" || ending == ".jpeg" || ending == ".png";
}

// Entries in the order of their names; hidden ones are passed over.
Result<std::vector<std::filesystem::path>> sorted_entries(const std::filesystem::path& folder, bool folders) {
  std::vector<std::filesystem::path> found;
  std::error_code error;
  for (std::filesystem::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    if (it->path().filename().string().starts_with('.')) continue;
    if (it->is_directory() ? folders : !folders && is_image(it->path())) found.push_back(it->path());
  }
  if (error) return fail(ErrorCode::kNotFound, "{}: {}", folder.string(), error.message());
  std::ranges::sort(found);
  return found;
}

}  // namespace

Result<Image> decode_image(std::span<const std::byte> file) {
  const std::string_view text = as_text(file);
  if (text.starts_with("\xFF\xD8")) return decode_jpeg(file);
  if (text.starts_with("\x89PNG")) return decode_png(file);
  return fail(ErrorCode::kUnsupported, "neither a JPEG nor a PNG");
}

Result<Preprocess> parse_preprocess(std::string_view text) {
  Preprocess out;
  std::set<std::string, std::less<>> seen;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find(',', at), text.size());
    const std::string_view word = text.substr(at, end - at);
    const size_t equals = std::min(word.find('='), word.size());
    const std::string_view key = word.substr(0, equals);
    if (!seen.emplace(key).second) return fail(ErrorCode::kInvalidInput, "preprocess: {} stands twice", key);
    MW_CHECK_OK(take_word(key, equals < word.size() ? word.substr(equals + 1) : "", out));
    at = end + 1;
  }
  return out;
}

void preprocess(const Image& image, const Preprocess& how, std::span<float> out) {
  const size_t channels = how.gray ? 1 : kChannels;
  MW_CHECK(out.size() == how.width * how.height * channels, "room for one sample");
  const float scale = (how.high - how.low) / 255.0F;
  for (size_t y = 0; y < how.height; ++y) {
    const Between row = between(y, image.height, how.height);
    for (size_t x = 0; x < how.width; ++x) {
      const Between column = between(x, image.width, how.width);
      std::array<float, kChannels> pixel{};
      for (size_t c = 0; c < kChannels; ++c) {
        const auto at = [&](size_t r, size_t k) {
          return static_cast<float>(image.rgb[(r * image.width + k) * kChannels + c]);
        };
        const float top =
            at(row.first, column.first) * (1.0F - column.share) + at(row.first, column.second) * column.share;
        const float low =
            at(row.second, column.first) * (1.0F - column.share) + at(row.second, column.second) * column.share;
        pixel[c] = top * (1.0F - row.share) + low * row.share;
      }
      if (how.gray) pixel[0] = 0.299F * pixel[0] + 0.587F * pixel[1] + 0.114F * pixel[2];
      for (size_t c = 0; c < channels; ++c) {
        const size_t place = how.layout == Preprocess::Layout::kNchw ? (c * how.height + y) * how.width + x
                                                                     : (y * how.width + x) * channels + c;
        out[place] = (how.low + scale * pixel[c] - how.mean[c]) / how.std[c];
      }
    }
  }
}

Result<std::unique_ptr<Dataset>> open_image_folder(const std::filesystem::path& folder, const Preprocess& how) {
  std::vector<std::filesystem::path> files = MW_TRY(sorted_entries(folder, false));
  std::vector<int64_t> labels;
  if (files.empty()) {
    const auto classes = MW_TRY(sorted_entries(folder, true));
    for (size_t label = 0; label < classes.size(); ++label) {
      for (auto& file : MW_TRY(sorted_entries(classes[label], false))) {
        files.push_back(std::move(file));
        labels.push_back(static_cast<int64_t>(label));
      }
    }
  }
  if (files.empty()) return fail(ErrorCode::kInvalidInput, "{}: no pictures (.jpg, .jpeg, .png)", folder.string());
  Preprocess complete = how;
  if (how.width == 0) {
    const Bytes bytes = MW_TRY(read_file(files.front(), kMaxImageFileBytes));
    const Image first = MW_TRY_IN(files.front().string(), decode_image(bytes));
    complete.width = first.width;
    complete.height = first.height;
  }
  return std::unique_ptr<Dataset>(std::make_unique<ImageFolder>(std::move(files), std::move(labels), complete));
}

}  // namespace millwright::recording
