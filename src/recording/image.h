// SPDX-License-Identifier: Apache-2.0
// Pictures as a model wants them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "recording/dataset.h"

namespace millwright::recording {

inline constexpr size_t kMaxImageSide = 16'384;
inline constexpr uint64_t kMaxImagePixels = 64ULL << 20;
inline constexpr uint64_t kMaxImageFileBytes = 256ULL << 20;

// Eight bits a value, rows from the top, red green blue.
struct Image {
  size_t width = 0;
  size_t height = 0;
  std::vector<uint8_t> rgb;  // height x width x 3
};

// JPEG or PNG, told by their first bytes; transparency is laid on black. kUnsupported: another format; kCorrupt,
// kTooLarge (above kMaxImageSide or kMaxImagePixels).
Result<Image> decode_image(std::span<const std::byte> file);

struct Preprocess {
  size_t width = 0;  // 0: as the first picture has it
  size_t height = 0;
  enum class Layout { kNchw, kNhwc } layout = Layout::kNchw;
  bool gray = false;  // one channel: 0.299 R + 0.587 G + 0.114 B (ITU-R BT.601)
  // 0 .. 255 becomes low .. high, then (value - mean) / std, each channel by itself.
  float low = 0.0F;
  float high = 1.0F;
  std::array<float, 3> mean = {0.0F, 0.0F, 0.0F};
  std::array<float, 3> std = {1.0F, 1.0F, 1.0F};
};

// "size=224x224,layout=nchw,range=0:1,mean=0.485:0.456:0.406,std=0.229:0.224:0.225,color=rgb", in any order, each at
// most once, all optional. kInvalidInput says which word is wrong.
Result<Preprocess> parse_preprocess(std::string_view text);

// One sample: resized (bilinear, pixel centres at halves, no smoothing), scaled, laid out.
void preprocess(const Image& image, const Preprocess& how, std::span<float> out);

// The pictures of a folder in the order of their names; or, where it has folders, those of each folder, whose place in
// the order of names is their label. kInvalidInput: none; the message names the file.
Result<std::unique_ptr<Dataset>> open_image_folder(const std::filesystem::path& folder, const Preprocess& how);

}  // namespace millwright::recording
