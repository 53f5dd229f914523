// SPDX-License-Identifier: Apache-2.0
// What a trial's parent and child tell each other: the request is a memory file, the reply one write to a pipe.
// Both sides are the same program, so plain structs do; the parent still believes nothing in the reply unchecked.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <type_traits>

#include "inference/session.h"
#include "inference/trial.h"
#include "model/scoring.h"

namespace millwright::inference {

inline constexpr std::string_view kTrialArgument = "--millwright-trial-child";
inline constexpr const char* kTrialVariable = "MILLWRIGHT_TRIAL_CHILD";  // set in the child: no trial within a trial
inline constexpr int kRequestFd = 3;
inline constexpr int kReplyFd = 4;
inline constexpr uint64_t kRequestMagic = 0x314C414952544D57;
inline constexpr uint64_t kReplyMagic = 0x32594C5045524D57;

// What of SessionOptions is plain; its texts follow the request.
struct TrialSession {
  int threads = 1;
  onnx::Limits limits;
  bool disable_arena = false;
  Provider provider = Provider::kCpu;
  int device_id = 0;
  bool fp16 = false;
  bool int8 = false;
  bool partial = false;
  uint64_t workspace_bytes = 0;
  uint64_t table_bytes = 0;  // the path of the calibration table
  uint64_t cache_bytes = 0;  // the path of the engines
};

// Followed by mean, scale (feature_count floats each, or none), features and expected, then the two paths,
// then model_bytes.
struct TrialRequest {
  uint64_t magic = kRequestMagic;
  uint64_t memory_bytes = 0;
  int64_t deadline_ms = 0;
  double latency_budget_ms = 0.0;
  TrialSession session;
  model::ScoreKind kind = model::ScoreKind::kOutput;
  uint64_t model_bytes = 0;
  uint64_t feature_count = 0;  // 0: no bundle, a plain model
  uint64_t normalised = 0;     // 1: mean and scale are there
  uint64_t vectors = 0;
  double tolerance_relative = 0.0;
  double tolerance_absolute = 0.0;
};
static_assert(std::is_trivially_copyable_v<TrialRequest>);

struct TrialReply {
  uint64_t magic = kReplyMagic;
  int32_t code = -1;  // an ErrorCode, or -1 for success
  uint32_t message_bytes = 0;
  std::array<char, 512> message{};
  TrialReport report;
};
static_assert(std::is_trivially_copyable_v<TrialReply> && sizeof(TrialReply) <= 4096, "one atomic write to a pipe");

}  // namespace millwright::inference
