// SPDX-License-Identifier: Apache-2.0
#include "edge/press_signal.h"

#include <array>
#include <cmath>
#include <complex>
#include <numbers>

#include "base/random.h"

namespace millwright::edge {
namespace {

constexpr double kTwoPi = 2.0 * std::numbers::pi;
constexpr double kBrokenWear = 3.0;
constexpr double kImpactAt = 0.15;  // of the stroke

struct Mode {
  double hz;
  double amplitude;
  double decay_s;
};
constexpr std::array<Mode, 3> kModes = {{{236.0, 1.0, 0.030}, {311.0, 0.7, 0.022}, {384.0, 0.4, 0.016}}};

// Independent streams of numbers for each stroke and purpose.
Random random_for(uint64_t seed, uint64_t stroke, uint64_t purpose) {
  return Random(seed * 0x9E3779B97F4A7C15ULL ^ stroke * 0xD1B54A32D192ED03ULL ^ purpose * 0x8CB92BA72F3D8DD7ULL);
}

// A loose mount passes on little, and nothing fast: two one-pole low-passes.
void loosen(std::span<float> samples, double rate_hz) {
  const double a = 1.0 - std::exp(-kTwoPi * 120.0 / rate_hz);
  double first = 0.0;
  double second = 0.0;
  for (float& sample : samples) {
    first += a * (sample - first);
    second += a * (first - second);
    sample = static_cast<float>(0.3 * second);
  }
}

}  // namespace

// What one stroke has in common over all channels.
struct PressSignal::Shape {
  double load;    // amplitude of everything the press does
  double detune;  // of the modes
  double wear;
  double chatter_hz;
};

double PressSignal::wear(uint64_t stroke) const {
  if (options_.failure_stroke == 0 || stroke <= options_.wear_from_stroke) return 0.0;
  if (stroke >= options_.failure_stroke) return kBrokenWear;
  const auto gone = static_cast<double>(stroke - options_.wear_from_stroke);
  const auto whole = static_cast<double>(options_.failure_stroke - options_.wear_from_stroke);
  return std::pow(gone / whole, 1.5);
}

bool PressSignal::loose(uint64_t stroke, size_t channel) const {
  return options_.loose_from_stroke != 0 && stroke >= options_.loose_from_stroke && channel == options_.loose_channel;
}

PressSignal::Shape PressSignal::shape_of(uint64_t stroke) const {
  Random own = random_for(options_.seed, stroke, 1);
  Random batch = random_for(options_.seed, options_.load_every == 0 ? 0 : stroke / options_.load_every, 2);
  Shape shape{};
  shape.load = (1.0 + 0.04 * batch.normal()) * (1.0 + 0.02 * own.normal());
  shape.wear = wear(stroke);
  shape.detune = (1.0 + 0.002 * own.normal()) * (1.0 - 0.05 * shape.wear);
  shape.chatter_hz = own.uniform(260.0, 340.0);
  return shape;
}

void PressSignal::stroke(uint64_t stroke, size_t margin, std::span<float> planar) const {
  const Shape shape = shape_of(stroke);
  const size_t frames = options_.length + 2 * margin;
  const double dt = 1.0 / options_.rate_hz;
  const auto impact = margin + static_cast<size_t>(kImpactAt * static_cast<double>(options_.length));
  for (size_t c = 0; c < options_.channels; ++c) {
    Random random = random_for(options_.seed, stroke, 16 + c);
    const double gain = shape.load * std::pow(0.85, static_cast<double>(c));
    const std::span<float> out = planar.subspan(c * frames, frames);
    std::array<std::complex<double>, kModes.size() + 1> phasors{};
    std::array<std::complex<double>, kModes.size() + 1> steps{};
    for (size_t m = 0; m < kModes.size(); ++m) {
      const double amplitude = kModes[m].amplitude * (1.0 + 1.2 * shape.wear) * (1.0 + 0.03 * random.normal());
      phasors[m] = std::polar(gain * amplitude, 0.3 * random.normal());
      steps[m] = std::polar(std::exp(-dt / kModes[m].decay_s), kTwoPi * kModes[m].hz * shape.detune * dt);
    }
    phasors.back() = std::polar(gain * 0.8 * shape.wear, random.uniform(0.0, kTwoPi));
    steps.back() = std::polar(std::exp(-dt / 0.06), kTwoPi * shape.chatter_hz * dt);
    double burst = 2.0 * gain * (1.0 + shape.wear);
    const double burst_decay = std::exp(-dt / 0.0015);
    const double hum_phase = random.uniform(0.0, kTwoPi);
    const double noise = options_.noise * (1.0 + 0.5 * shape.wear);
    for (size_t i = 0; i < frames; ++i) {
      double x = noise * random.normal() + 0.01 * std::sin(kTwoPi * 50.0 * dt * static_cast<double>(i) + hum_phase);
      if (i >= impact) {
        for (size_t m = 0; m < phasors.size(); ++m) {
          x += phasors[m].imag();
          phasors[m] *= steps[m];
        }
        x += burst * random.uniform(-1.0, 1.0);
        burst *= burst_decay;
      }
      out[i] = static_cast<float>(x);
    }
    if (loose(stroke, c)) loosen(out, options_.rate_hz);
  }
}

void PressSignal::quiet(uint64_t stroke, uint64_t part, size_t frames, std::span<float> planar) const {
  for (size_t c = 0; c < options_.channels; ++c) {
    Random random = random_for(options_.seed, stroke, 4096 + part * 64 + c);
    const std::span<float> out = planar.subspan(c * frames, frames);
    for (float& sample : out) sample = static_cast<float>(options_.noise * random.normal());
    if (loose(stroke, c)) loosen(out, options_.rate_hz);
  }
}

}  // namespace millwright::edge
