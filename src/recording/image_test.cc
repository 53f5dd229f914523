// SPDX-License-Identifier: Apache-2.0
#include "recording/image.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <png.h>
#include <turbojpeg.h>

#include <cmath>

#include "recording/recording_fixture.h"

namespace millwright::recording {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// Red rises to the right, green to the bottom.
Image ramp(size_t width, size_t height) {
  Image image{.width = width, .height = height, .rgb = {}};
  for (size_t y = 0; y < height; ++y) {
    for (size_t x = 0; x < width; ++x) {
      image.rgb.push_back(static_cast<uint8_t>(x * 255 / (width - 1)));
      image.rgb.push_back(static_cast<uint8_t>(y * 255 / (height - 1)));
      image.rgb.push_back(7);
    }
  }
  return image;
}

std::string png_of(const Image& image) {
  png_image png{};
  png.version = PNG_IMAGE_VERSION;
  png.width = static_cast<png_uint_32>(image.width);
  png.height = static_cast<png_uint_32>(image.height);
  png.format = PNG_FORMAT_RGB;
  png_alloc_size_t size = 0;
  png_image_write_to_memory(&png, nullptr, &size, 0, image.rgb.data(), 0, nullptr);
  std::string bytes(size, '\0');
  EXPECT_NE(png_image_write_to_memory(&png, bytes.data(), &size, 0, image.rgb.data(), 0, nullptr), 0);
  return bytes;
}

std::string jpeg_of(const Image& image) {
  tjhandle encoder = tjInitCompress();
  unsigned char* out = nullptr;
  unsigned long size = 0;
  EXPECT_EQ(tjCompress2(encoder, image.rgb.data(), static_cast<int>(image.width), 0, static_cast<int>(image.height),
                        TJPF_RGB, &out, &size, TJSAMP_444, 95, 0),
            0);
  std::string bytes(reinterpret_cast<char*>(out), size);
  tjFree(out);
  tjDestroy(encoder);
  return bytes;
}

Result<Image> decoded(std::string_view file) { return decode_image(std::as_bytes(std::span(file))); }

class ImageTest : public RecordingFixture {};

TEST_F(ImageTest, APngComesBackAsItWas) {
  const Image image = ramp(5, 4);
  const auto back = decoded(png_of(image));
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(back->width, 5U);
  EXPECT_EQ(back->height, 4U);
  EXPECT_EQ(back->rgb, image.rgb);
}

TEST_F(ImageTest, AJpegComesBackNearly) {
  const Image image = ramp(32, 16);
  const auto back = decoded(jpeg_of(image));
  ASSERT_TRUE(back) << back.error().message;
  ASSERT_EQ(back->rgb.size(), image.rgb.size());
  for (size_t i = 0; i < image.rgb.size(); ++i) EXPECT_NEAR(back->rgb[i], image.rgb[i], 12);
}

TEST_F(ImageTest, WhatIsCutShortIsAnErrorAtEveryLength) {
  for (const std::string& whole : {png_of(ramp(9, 9)), jpeg_of(ramp(16, 16))}) {
    for (size_t length = 0; length + 12 < whole.size(); ++length) {
      EXPECT_FALSE(decoded(std::string_view(whole).substr(0, length))) << length;
    }
  }
}

TEST_F(ImageTest, LayoutRangeMeanAndDeviationAreAsStated) {
  const Image image{.width = 2, .height = 1, .rgb = {0, 51, 102, 153, 204, 255}};
  auto how = parse_preprocess("size=2x1,range=0:1,mean=0:0.2:0.4,std=1:2:0.5");
  ASSERT_TRUE(how) << how.error().message;
  std::vector<float> out(6);
  preprocess(image, *how, out);
  EXPECT_THAT(out, testing::Pointwise(testing::FloatNear(1e-6F), {0.0F, 0.6F, 0.0F, 0.3F, 0.0F, 1.2F}));
  how->layout = Preprocess::Layout::kNhwc;
  preprocess(image, *how, out);
  EXPECT_THAT(out, testing::Pointwise(testing::FloatNear(1e-6F), {0.0F, 0.0F, 0.0F, 0.6F, 0.3F, 1.2F}));
}

// A ramp stays the same ramp, sampled at other centres: value (x + 0.5) / width in [0, 1], clamped at the ends.
TEST_F(ImageTest, ResizingIsBilinearBetweenPixelCentres) {
  Image image{.width = 4, .height = 1, .rgb = {}};
  for (const uint8_t red : {0, 60, 120, 180}) image.rgb.insert(image.rgb.end(), {red, 0, 0});
  const auto how = parse_preprocess("size=8x1,range=0:255");
  ASSERT_TRUE(how);
  std::vector<float> out(24);
  preprocess(image, *how, out);
  EXPECT_THAT(
      std::vector<float>(out.begin(), out.begin() + 8),
      testing::Pointwise(testing::FloatNear(1e-4F), {0.0F, 15.0F, 45.0F, 75.0F, 105.0F, 135.0F, 165.0F, 180.0F}));
}

TEST_F(ImageTest, AFolderOfFoldersTellsTheClasses) {
  for (const char* name : {"bad", "good"}) std::filesystem::create_directory(folder() / name);
  write("good/b.png", png_of(ramp(4, 4)));
  write("bad/a.jpg", jpeg_of(ramp(8, 8)));
  write("bad/notes.txt", "no picture");
  const auto set = open_image_folder(folder(), *parse_preprocess("size=4x4"));
  ASSERT_TRUE(set) << set.error().message;
  EXPECT_THAT((*set)->labels(), ElementsAre(0, 1));
  EXPECT_THAT((*set)->shape(), ElementsAre(3, 4, 4));
  std::vector<float> out((*set)->values());
  EXPECT_TRUE((*set)->read(0, out));
  EXPECT_TRUE((*set)->read(1, out));
}

TEST_F(ImageTest, ABadPictureIsNamed) {
  write("a.png", png_of(ramp(4, 4)));
  write("b.png", "\x89PNG and nothing more");
  const auto set = open_image_folder(folder(), {});
  ASSERT_TRUE(set) << set.error().message;
  std::vector<float> out((*set)->values());
  EXPECT_TRUE((*set)->read(0, out));
  const auto bad = (*set)->read(1, out);
  ASSERT_FALSE(bad);
  EXPECT_THAT(bad.error().message, HasSubstr("b.png"));
}

TEST_F(ImageTest, AnEmptyFolderAndWrongWordsAreRefused) {
  EXPECT_FALSE(open_image_folder(folder(), {}));
  for (const char* text :
       {"size=0x4", "size=axb", "layout=hwc", "std=0", "mean=1:2", "colour=rgb", "size=4x4,size=5x5", "range=a:b"}) {
    const auto how = parse_preprocess(text);
    ASSERT_FALSE(how) << text;
    EXPECT_THAT(how.error().message, HasSubstr("preprocess"));
  }
}

}  // namespace
}  // namespace millwright::recording
