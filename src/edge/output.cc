// SPDX-License-Identifier: Apache-2.0
#include "edge/output.h"

namespace millwright::edge {

std::string_view name(FailSafe policy) {
  switch (policy) {
    case FailSafe::kHold: return "hold";
    case FailSafe::kStop: return "stop";
    case FailSafe::kPass: return "pass";
  }
  return "stop";
}

bool decide_stop(const OutputPolicy& policy, model::Verdict verdict, bool alarm_active, bool stopped_before) {
  if (verdict == model::Verdict::kNoVerdict) {
    return policy.on_no_verdict == FailSafe::kStop || (policy.on_no_verdict == FailSafe::kHold && stopped_before);
  }
  return policy.stop_on_alarm ? alarm_active : verdict == model::Verdict::kNoGo;
}

}  // namespace millwright::edge
