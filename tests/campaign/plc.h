// SPDX-License-Identifier: Apache-2.0
// What the machine's PLC knows, kept in memory that outlives the processes that watch the machine. It stamps every
// stroke and every answer by its own time, outside of the loop under test: what the loop says of itself proves nothing.
#pragma once

#include <atomic>
#include <cstdint>
#include <new>
#include <span>

#include <sys/mman.h>

#include "base/check.h"
#include "base/clock.h"
#include "model/verdict.h"

namespace millwright::campaign {

inline constexpr int64_t kDeadlineNs = 50'000'000;

// A verdict at the PLC's input. The stamp is taken after the verdict stands there, so it is never too early.
struct Answer {
  static constexpr uint8_t kNone = 0xFF;

  std::atomic<uint8_t> verdict{kNone};
  std::atomic<int64_t> at_ns{0};  // 0: none, or killed before the stamp

  [[nodiscard]] bool decided() const {
    return at_ns != 0 && verdict != static_cast<uint8_t>(model::Verdict::kNoVerdict);
  }
  [[nodiscard]] bool says(model::Verdict wanted) const { return at_ns != 0 && verdict == static_cast<uint8_t>(wanted); }
};

struct Cycle {
  std::atomic<int64_t> issued_ns{0};
  Answer first;
  Answer last;  // the same as the first, unless that was taken back

  [[nodiscard]] bool late(const Answer& answer) const { return answer.at_ns - issued_ns > kDeadlineNs; }
};

struct Plc {
  std::atomic<uint64_t> issued{0};    // strokes made so far; the PLC's counter
  std::atomic<uint64_t> taken{0};     // the last one whose samples were handed to a loop
  std::atomic<uint64_t> life{0};      // which loop runs; the first is 1
  std::atomic<uint64_t> decided{0};   // answers that were GO or NO_GO
  std::atomic<int64_t> passed_ns{0};  // time that did not really pass, as a slow model's; part of the PLC's time
  std::span<Cycle> cycles;            // by cycle, from 1

  [[nodiscard]] int64_t now_ns() const { return SystemClock().monotonic_ns() + passed_ns; }

  // Any cycle but 1 .. trials is nobody's.
  void answer(uint64_t cycle, model::Verdict verdict) {
    if (cycle == 0 || cycle >= cycles.size()) return;
    Cycle& asked = cycles[cycle];
    for (Answer* answer : {&asked.first, &asked.last}) {
      if (answer == &asked.first && answer->verdict != Answer::kNone) continue;
      answer->verdict = static_cast<uint8_t>(verdict);
      answer->at_ns = now_ns();
    }
    if (verdict != model::Verdict::kNoVerdict) ++decided;
  }
};

// The PLC in memory that is shared with processes forked later.
class SharedPlc {
 public:
  explicit SharedPlc(uint64_t trials) : bytes_(sizeof(Plc) + (trials + 1) * sizeof(Cycle)) {
    static_assert(sizeof(Plc) % alignof(Cycle) == 0 && std::atomic<int64_t>::is_always_lock_free);
    void* memory = ::mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    MW_CHECK(memory != MAP_FAILED, "40 bytes a trial are to be had");
    plc_ = new (memory) Plc();
    auto* cycles = reinterpret_cast<Cycle*>(static_cast<std::byte*>(memory) + sizeof(Plc));
    for (uint64_t i = 0; i <= trials; ++i) new (cycles + i) Cycle();
    plc_->cycles = {cycles, trials + 1};
  }
  ~SharedPlc() { ::munmap(plc_, bytes_); }
  SharedPlc(const SharedPlc&) = delete;
  SharedPlc& operator=(const SharedPlc&) = delete;

  Plc* operator->() const { return plc_; }
  Plc& operator*() const { return *plc_; }

 private:
  size_t bytes_;
  Plc* plc_;
};

}  // namespace millwright::campaign
