// SPDX-License-Identifier: Apache-2.0
#include "edge/plc/request.h"

#include <vector>

#include <gtest/gtest.h>

namespace millwright::edge::plc {
namespace {

using Bytes = std::vector<uint8_t>;

constexpr RegisterMap kMap{.unit = 1, .base = 100, .control_base = 200};

Bytes framed(const Bytes& pdu, uint8_t unit = 1) {
  Bytes frame = {0x12, 0x34, 0, 0, 0, static_cast<uint8_t>(pdu.size() + 1), unit};
  for (const uint8_t byte : pdu) frame.push_back(byte);
  return frame;
}

Bytes answered(const Bytes& frame, bool may_write = true, bool readable = true) {
  Registers registers{.control = {1, 2, 3, 4}};
  if (readable) registers.block.emplace().fill(0x0A0B);
  const Answer reply = answer(frame, kMap, registers, may_write);
  return {reply.bytes.begin(), reply.bytes.begin() + static_cast<ptrdiff_t>(reply.size)};
}

Bytes exception(uint8_t function, uint8_t code, uint8_t unit = 1) {
  return framed({static_cast<uint8_t>(function | 0x80), code}, unit);
}

TEST(PlcRequest, AFrameIsBoundedByItsHeader) {
  const Bytes frame = framed({3, 0, 100, 0, 1});
  for (size_t n = 0; n < frame.size(); ++n) EXPECT_EQ(frame_bytes(std::span(frame).first(n)), 0U) << n;
  EXPECT_EQ(frame_bytes(frame), frame.size());
  Bytes two = frame;
  two.insert(two.end(), frame.begin(), frame.end());
  EXPECT_EQ(frame_bytes(two), frame.size());
}

TEST(PlcRequest, WhatIsNotModbusIsSeenAtOnce) {
  EXPECT_FALSE(frame_bytes(Bytes{'G', 'E', 'T', ' '}));
  EXPECT_FALSE(frame_bytes(Bytes{0, 0, 0, 0, 0xFF, 0xFF}));
  EXPECT_FALSE(frame_bytes(Bytes{0, 0, 0, 0, 0, 255}));
  EXPECT_FALSE(frame_bytes(Bytes{0, 0, 0, 0, 0, 1}));
}

TEST(PlcRequest, BothBlocksCanBeReadByEitherFunction) {
  EXPECT_EQ(answered(framed({3, 0, 115, 0, 1})), framed({3, 2, 0x0A, 0x0B}));
  EXPECT_EQ(answered(framed({4, 0, 200, 0, 4})), framed({4, 8, 0, 1, 0, 2, 0, 3, 0, 4}));
}

TEST(PlcRequest, WhatIsNotThereIsAnException) {
  EXPECT_EQ(answered(framed({3, 0, 99, 0, 2})), exception(3, 2));
  EXPECT_EQ(answered(framed({3, 0, 100, 0, 17})), exception(3, 2));
  EXPECT_EQ(answered(framed({3, 0xFF, 0xFF, 0, 125})), exception(3, 2));
  EXPECT_EQ(answered(framed({3, 0, 100, 0, 0})), exception(3, 3));
  EXPECT_EQ(answered(framed({3, 0, 100, 0, 126})), exception(3, 3));
  EXPECT_EQ(answered(framed({3, 0, 100})), exception(3, 3));
  EXPECT_EQ(answered(framed({0x17, 0, 100, 0, 1, 0, 200, 0, 1, 2, 0, 0})), exception(0x17, 1));
  EXPECT_EQ(answered(framed({3, 0, 100, 0, 1}, 9)), exception(3, 11, 9));
  EXPECT_EQ(answered(framed({3, 0, 100, 0, 1}), true, false), exception(3, 6)) << "the block cannot be had";
}

TEST(PlcRequest, OnlyTheControlRegistersAreWrittenAndTheCycleOnlyWhole) {
  const Bytes all = framed({16, 0, 200, 0, 4, 8, 0, 9, 0, 8, 0, 7, 0, 6});
  EXPECT_EQ(answered(all), framed({16, 0, 200, 0, 4}));
  const Answer reply = answer(all, kMap, {.control = {1, 2, 3, 4}}, true);
  EXPECT_EQ(reply.written, (ControlRegisters{9, 8, 7, 6}));
  EXPECT_EQ(answer(framed({6, 0, 201, 0, 5}), kMap, {.control = {1, 2, 3, 4}}, true).written,
            (ControlRegisters{1, 5, 3, 4}));
  EXPECT_EQ(answered(framed({6, 0, 100, 0, 5})), exception(6, 2)) << "the agent's block";
  EXPECT_EQ(answered(framed({6, 0, 202, 0, 5})), exception(6, 2)) << "half of the cycle";
  EXPECT_EQ(answered(framed({16, 0, 201, 0, 2, 4, 0, 1, 0, 2})), exception(16, 2)) << "half of the cycle";
  EXPECT_EQ(answered(framed({16, 0, 203, 0, 2, 4, 0, 1, 0, 2})), exception(16, 2)) << "beyond its end";
  EXPECT_EQ(answered(framed({16, 0, 200, 0, 2, 4, 0, 1})), exception(16, 3)) << "fewer values than it says";
  EXPECT_EQ(answered(all, false), exception(16, 2)) << "not from this peer";
}

}  // namespace
}  // namespace millwright::edge::plc
