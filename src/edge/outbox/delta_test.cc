// SPDX-License-Identifier: Apache-2.0
#include "edge/outbox/delta.h"

#include <gtest/gtest.h>

#include "base/random.h"
#include "edge/outbox/crc32c.h"

namespace millwright::edge::outbox {
namespace {

std::string delta(std::string_view model, std::string_view text) {
  std::string out(1000, '\0');
  const auto bytes = encode_delta(DeltaModel(model), PaddedText(text), out);
  EXPECT_TRUE(bytes) << model << " | " << text;
  out.resize(bytes.value_or(0));
  return out;
}

TEST(Delta, ATextLikeItsTemplateIsAFewBytes) {
  const std::string_view model = R"({"stroke_id":2401,"verdict":"NO_GO","score":0.5585,"top":[{"f":"rms"}]})";
  const std::string_view text = R"({"stroke_id":2402,"verdict":"GO","score":0.1234,"top":[]})";
  EXPECT_LT(delta(model, text).size(), text.size() / 2);
  EXPECT_EQ(*decode_delta(model, delta(model, text), 1000), text);
  EXPECT_LE(delta(model, model).size(), 3U);
}

TEST(Delta, AnyTextComesBackFromAnyTemplate) {
  Random random(1);
  constexpr std::string_view kLetters = "0123456789.-,\"}]ab";
  for (int i = 0; i < 20'000; ++i) {
    std::string model(random.below(30), ' ');
    std::string text(random.below(30), ' ');
    for (char& c : model) c = kLetters[random.below(kLetters.size())];
    for (char& c : text) c = kLetters[random.below(kLetters.size())];
    if (random.below(2) == 0) text = model.substr(0, random.below(model.size() + 1)) + text;
    const auto back = decode_delta(model, delta(model, text), 1000);
    ASSERT_TRUE(back) << model << " | " << text;
    ASSERT_EQ(*back, text);
  }
}

TEST(Delta, WritesNothingBehindTheRoomItHas) {
  Random random(3);
  for (int i = 0; i < 20'000; ++i) {
    std::string model(random.below(60), ' ');
    std::string text(random.below(60), ' ');
    for (char& c : model) c = static_cast<char>('*' + random.below(16));
    for (char& c : text) c = static_cast<char>('*' + random.below(16));
    const std::string whole = delta(model, text);
    const size_t most = random.below(whole.size() + 2 * kDeltaSlack);
    std::string room(most + kDeltaSlack, '#');
    const auto bytes = encode_delta(DeltaModel(model), PaddedText(text), std::span(room).first(most));
    ASSERT_EQ(room.substr(most), std::string(kDeltaSlack, '#'));
    if (bytes) {
      ASSERT_EQ(room.substr(0, *bytes), whole);
    } else {
      ASSERT_LT(most, whole.size() + kDeltaSlack);
    }
  }
}

TEST(Delta, WhatIsNoDeltaIsRefused) {
  Random random(2);
  const std::string model = "a template with 123 numbers";
  for (int i = 0; i < 100'000; ++i) {
    std::string bytes(random.below(20), ' ');
    for (char& c : bytes) c = static_cast<char>(random.below(random.below(2) == 0 ? 16 : 256));
    const auto text = decode_delta(model, bytes, 100);
    ASSERT_TRUE(!text || text->size() <= 100U);
  }
  EXPECT_FALSE(decode_delta(model, delta(model, "a template"), 5));
}

TEST(Crc32c, GivesThePublishedValues) {
  const auto of = [](std::string_view text) { return crc32c(std::as_bytes(std::span(text))); };
  EXPECT_EQ(of("123456789"), 0xE3069283U);
  // RFC 3720, B.4.
  EXPECT_EQ(of(std::string(32, '\0')), 0x8A9136AAU);
  EXPECT_EQ(of(std::string(32, '\xFF')), 0x62A8AB43U);
}

TEST(Crc32c, IsTheSameWithAndWithoutTheInstruction) {
  Random random(5);
  std::vector<std::byte> bytes(300);
  for (std::byte& one : bytes) one = static_cast<std::byte>(random.bits());
  for (size_t size = 0; size <= bytes.size(); ++size) {
    const auto part = std::span(bytes).first(size);
    ASSERT_EQ(crc32c(part, 77), crc32c_portable(part, 77)) << size;
  }
}

}  // namespace
}  // namespace millwright::edge::outbox
