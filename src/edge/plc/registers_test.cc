// SPDX-License-Identifier: Apache-2.0
#include "edge/plc/registers.h"

#include <gtest/gtest.h>

#include "edge/plc/result_state.h"

namespace millwright::edge::plc {
namespace {

using model::Reason;
using model::Verdict;

OutputState go(uint64_t stroke, uint64_t cycle) {
  return {.stroke_id = stroke, .plc_cycle = cycle, .verdict = Verdict::kGo, .stop = false, .score = 0.25};
}
OutputState late(uint64_t stroke) { return {.stroke_id = stroke, .reason = Reason::kDeadline}; }
Block shown(const ResultState& state, const Control& control = {}) { return block_of(state, control, FailSafe::kStop); }

// The map as FORMAT.md states it, register by register.
TEST(PlcRegisters, LieWhereTheFormatSays) {
  Block block;
  block.status = {.ready = true, .busy = false, .result_valid = true, .pass = true, .stop = false, .alarm = true};
  block.heartbeat = 7;
  block.sequence = 0x00010002;
  block.cycle = 0x00030004;
  block.verdict = VerdictCode::kGo;
  block.reason = 5;
  block.score = 6000;
  block.severity = 3;
  block.sensor_fault = 2;
  block.stroke = 0x00050006;
  const BlockRegisters big = {0x4D, 7, 1, 2, 3, 4, 1, 5, 6000, 3, 2, 0x0101, 5, 6, 1, 2};
  const BlockRegisters little = {0x4D, 7, 2, 1, 4, 3, 1, 5, 6000, 3, 2, 0x0101, 6, 5, 2, 1};
  EXPECT_EQ(encode_block(block, WordOrder::kBig), big);
  EXPECT_EQ(encode_block(block, WordOrder::kLittle), little);
  EXPECT_EQ(decode_block(big, WordOrder::kBig), block);
  EXPECT_EQ(decode_block(little, WordOrder::kLittle), block);
}

TEST(PlcRegisters, ABlockOfTwoHalvesIsNone) {
  Block before;
  before.sequence = 8;
  Block after = before;
  after.sequence = 9;
  BlockRegisters torn = encode_block(before, WordOrder::kBig);
  const BlockRegisters newer = encode_block(after, WordOrder::kBig);
  std::copy(newer.begin() + 8, newer.end(), torn.begin() + 8);
  EXPECT_FALSE(decode_block(torn, WordOrder::kBig));
}

TEST(PlcRegisters, AnUnwrittenBlockIsNone) { EXPECT_FALSE(decode_block(BlockRegisters{}, WordOrder::kBig)); }

TEST(PlcRegisters, TheControlRegistersReadAsTheyAreWritten) {
  const Control control{.result_ack = true, .alarm_ack = true, .heartbeat = 9, .cycle = 0x12345678};
  const ControlRegisters big = {3, 9, 0x1234, 0x5678};
  EXPECT_EQ(encode_control(control, WordOrder::kBig), big);
  EXPECT_EQ(decode_control(big, WordOrder::kBig), control);
  EXPECT_EQ(decode_control(encode_control(control, WordOrder::kLittle), WordOrder::kLittle), control);
}

TEST(PlcResult, BeforeTheFirstVerdictItIsNeitherReadyNorValidAndStops) {
  const Block block = shown(ResultState{});
  EXPECT_EQ(block.status, (StatusBits{.stop = true}));
  EXPECT_EQ(block.verdict, VerdictCode::kNone);
  EXPECT_EQ(block.score, kNoScore);
}

TEST(PlcResult, AVerdictIsValidUntilTheNextTrigger) {
  ResultState state;
  state.open(1);
  EXPECT_TRUE(shown(state).status.busy);
  EXPECT_FALSE(shown(state).status.result_valid);
  state.drive(go(1, 41));
  EXPECT_EQ(shown(state).status,
            (StatusBits{.ready = true, .busy = false, .result_valid = true, .pass = true, .stop = false}));
  EXPECT_EQ(shown(state).cycle, 41U);
  EXPECT_EQ(shown(state).score, 2500);
  state.open(2);
  EXPECT_TRUE(shown(state).status.busy);
  EXPECT_FALSE(shown(state).status.result_valid);
  EXPECT_FALSE(shown(state).status.pass);
  EXPECT_EQ(shown(state).cycle, 41U) << "the echo stays that of the verdict";
}

TEST(PlcResult, NoVerdictIsNeverValid) {
  ResultState state;
  state.drive(
      {.stroke_id = 1, .plc_cycle = 5, .reason = Reason::kSensorFault, .sensor_fault = signal::SensorFault::kFlatLine});
  EXPECT_FALSE(shown(state).status.result_valid);
  EXPECT_TRUE(shown(state).status.sensor_fault);
  EXPECT_FALSE(shown(state).status.ready);
  EXPECT_EQ(shown(state).verdict, VerdictCode::kNoVerdict);
}

TEST(PlcResult, AResultOfAnotherPartThanThePlcsIsNotValid) {
  ResultState state;
  state.drive(go(1, 41));
  EXPECT_TRUE(shown(state, {.cycle = 41}).status.result_valid);
  EXPECT_FALSE(shown(state, {.cycle = 42}).status.result_valid);
  EXPECT_FALSE(shown(state, {.cycle = 42}).status.pass);
  EXPECT_FALSE(shown(state, {.result_ack = true, .cycle = 41}).status.result_valid) << "taken already";
}

TEST(PlcResult, ThreeLateResultsInARowAreAFaultAndOneInTimeEndsIt) {
  ResultState state;
  state.drive(go(1, 1));
  for (uint64_t stroke = 2; stroke <= 3; ++stroke) state.drive(late(stroke));
  EXPECT_FALSE(shown(state).status.fault);
  state.drive(late(4));
  EXPECT_TRUE(shown(state).status.fault);
  EXPECT_FALSE(shown(state).status.ready);
  state.drive(go(5, 5));
  EXPECT_FALSE(shown(state).status.fault);
  EXPECT_TRUE(shown(state).status.ready);
}

TEST(PlcResult, AVerdictTakenBackAsLateCountsAsLate) {
  ResultState state;
  for (uint64_t stroke = 1; stroke <= 3; ++stroke) {
    state.drive(go(stroke, stroke));
    const uint32_t sequence = shown(state).sequence;
    state.drive(late(stroke));
    EXPECT_NE(shown(state).sequence, sequence);
  }
  EXPECT_TRUE(shown(state).status.fault);
  EXPECT_FALSE(shown(state).status.ready);
}

}  // namespace
}  // namespace millwright::edge::plc
