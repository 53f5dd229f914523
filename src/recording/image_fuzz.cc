// SPDX-License-Identifier: Apache-2.0
#include "base/check.h"
#include "recording/image.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace millwright::recording;
  const auto image = decode_image(std::as_bytes(std::span(data, size)));
  if (!image) {
    MW_CHECK(!image.error().message.empty(), "an error says what is wrong");
    return 0;
  }
  MW_CHECK(image->rgb.size() == image->width * image->height * 3, "as many values as pixels");
  std::vector<float> out(3 * 8 * 8);
  preprocess(*image, {.width = 8, .height = 8}, out);
  for (const float value : out) MW_CHECK(value >= 0.0F && value <= 1.001F, "within the range");
  return 0;
}
