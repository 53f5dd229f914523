// SPDX-License-Identifier: Apache-2.0
// Triggers decide where in an endless stream a stroke's window lies. Samples go in block by block, interleaved by
// time; windows come out whole, each exactly once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "base/error.h"
#include "signal/window.h"

namespace millwright::signal {

// A stroke begins where the trigger channel's short-time energy (RMS over `energy_samples`; 1 = the level |x| itself)
// rises above `level`; the window is [t - pre, t - pre + length). No new trigger for `dead` samples after one.
struct LevelTrigger {
  size_t channel = 0;
  double level = 0.0;
  size_t energy_samples = 1;
  size_t pre_samples = 0;
  size_t dead_samples = 0;
  bool operator==(const LevelTrigger&) const = default;
};

// Every `hop` samples, whatever the signal does. A window that lies wholly inside a hole is left out.
struct FixedTrigger {
  size_t hop = 0;
  bool operator==(const FixedTrigger&) const = default;
};

// The source names the sample (PLC cycle bit, recorded index); the window is [t - pre, t - pre + length).
struct ExternalTrigger {
  size_t pre_samples = 0;
  bool operator==(const ExternalTrigger&) const = default;
};

inline constexpr size_t kMaxPending = 4096;  // triggers that wait for their samples

using TriggerSpec = std::variant<LevelTrigger, FixedTrigger, ExternalTrigger>;

// One trigger as it happened.
struct TriggerEvent {
  uint64_t sample = 0;            // index of the trigger sample in the stream, from 0
  std::optional<uint64_t> cycle;  // the PLC's stroke counter, where the source carries it
};

// Finds triggers and cuts windows. One thread; allocates at creation only. Take all windows out by next() after every
// push: what waits longer than a block may lose its first samples, and then comes out as torn.
class WindowCutter {
 public:
  // kInvalidInput where lengths and shapes do not fit (pre_samples >= length, no hop, a channel that is not there).
  static Result<WindowCutter> create(const TriggerSpec& spec, size_t channels, size_t length, double rate_hz);
  ~WindowCutter();
  WindowCutter(WindowCutter&&) noexcept;
  WindowCutter& operator=(WindowCutter&&) noexcept;

  // Takes `frames` samples per channel, planar as in Window, at most max_block(). External events name their sample;
  // it must lie in this block or in the future, else it is ignored and counted in late_events(); so is an event when
  // kMaxPending are waiting already. The other triggers take no events. A sample that is not finite counts as silence.
  void push(std::span<const float> planar, size_t frames, std::span<const TriggerEvent> events = {});

  // A hole of `frames` samples in the stream: windows that would span it come out marked as torn. Level and energy
  // begin anew behind it.
  void push_gap(uint64_t frames);

  struct Cut {
    TriggerEvent trigger;
    Window window;      // valid until the next call of next(), push() or push_gap()
    bool torn = false;  // samples are missing inside (also those before the stream began): zeros stand in their place
  };
  // The next whole window, oldest first; nullopt when more samples are needed.
  std::optional<Cut> next();

  // The trigger `index` places after the oldest one that was found and has not come out, whether or not its samples
  // have all arrived: so that its trace can be kept from the trigger on.
  [[nodiscard]] std::optional<TriggerEvent> waiting(size_t index) const;

  // The oldest trigger whose post-trigger samples have not all arrived yet (so that its deadline can be watched). A
  // fixed trigger pends once its window has begun and all whole ones have been taken out.
  [[nodiscard]] std::optional<TriggerEvent> pending() const;
  // Gives up the oldest pending trigger: it will not come out of next().
  void drop_pending();

  [[nodiscard]] uint64_t samples_seen() const;
  [[nodiscard]] uint64_t late_events() const;
  [[nodiscard]] size_t max_block() const;

 private:
  struct State;
  explicit WindowCutter(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace millwright::signal
