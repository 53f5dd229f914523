// SPDX-License-Identifier: Apache-2.0
#include "signal/features.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "base/check.h"
#include "signal/band_spectrum.h"
#include "signal/curve.h"
#include "signal/envelope_spectrum.h"
#include "signal/hann.h"
#include "signal/log_mel.h"
#include "signal/pair_transform.h"
#include "signal/row_features.h"
#include "signal/time_features.h"

namespace millwright::signal {
namespace {

// One transform serves all groups of its size: the tapered window for spectra, the plain one for envelopes.
struct WholeWindow {
  PairTransform transform;
  PairGain gain;
};

// A call for so few channels costs less one by one than in lanes most of which are idle.
constexpr size_t kMinRowLanes = 4;

struct TimeStep {};
struct SpectrumStep {
  BandSpectrum bands;
  size_t whole;  // index of its WholeWindow
};
struct EnvelopeStep {
  EnvelopeSpectrum envelope;
  size_t whole;
};
struct LogMelStep {
  LogMel log_mel;
};
struct CurveStep {};
struct CurveStatisticsStep {};

using Step = std::variant<TimeStep, SpectrumStep, EnvelopeStep, LogMelStep, CurveStep, CurveStatisticsStep>;

// Samples beyond any physical unit may overflow a power; a feature is finite all the same.
void make_finite(std::span<float> features) {
  constexpr float kMax = std::numeric_limits<float>::max();
  for (float& value : features) value = std::isnan(value) ? 0.0F : std::clamp(value, -kMax, kMax);
}

}  // namespace

struct FeatureExtractor::Plan {
  FeatureSpec spec;
  size_t count = 0;
  std::vector<Step> steps;
  std::vector<size_t> sizes;  // features per step and channel
  std::vector<WholeWindow> wholes;
  Buffer<float> taper;
  Buffer<float> plain;
  Buffer<float> power;                // of the largest transform
  Buffer<float> scratch;              // of a curve's order statistics
  std::unique_ptr<RowFeatures> rows;  // null where the spec does not run in lanes

  Result<size_t> whole_of(size_t nfft);
  Result<Step> step_of(const FeatureGroup& group);
  void run(const Step& step, std::span<const float> x, std::span<float> out);
  void extract_channel(std::span<const float> x, std::span<float> out);
  void check_shape(const Window& window) const;
  void extract_in_lanes(std::span<const Window> windows, std::span<float> out);
};

Result<size_t> FeatureExtractor::Plan::whole_of(size_t nfft) {
  for (size_t i = 0; i < wholes.size(); ++i) {
    if (wholes[i].transform.size() == nfft) return i;
  }
  wholes.push_back({MW_TRY(PairTransform::create(nfft)), {}});
  if (power.size() < nfft / 2 + 1) power = Buffer<float>(nfft / 2 + 1);
  if (taper.size() == 0) {
    taper = hann(spec.length);
    plain = boxcar(spec.length);
  }
  return wholes.size() - 1;
}

Result<Step> FeatureExtractor::Plan::step_of(const FeatureGroup& group) {
  if (const auto* g = std::get_if<SpectrumFeatures>(&group)) {
    return SpectrumStep{BandSpectrum(*g, spec.rate_hz), MW_TRY(whole_of(g->nfft))};
  }
  if (const auto* g = std::get_if<EnvelopeFeatures>(&group)) {
    return EnvelopeStep{MW_TRY(EnvelopeSpectrum::create(*g, spec.length, spec.rate_hz)), MW_TRY(whole_of(g->nfft))};
  }
  if (const auto* g = std::get_if<LogMelFeatures>(&group)) return LogMelStep{MW_TRY(LogMel::create(*g, spec.rate_hz))};
  if (std::holds_alternative<CurveFeatures>(group)) return CurveStep{};
  if (std::holds_alternative<CurveStatistics>(group)) {
    if (scratch.size() == 0) scratch = Buffer<float>(spec.length);
    return CurveStatisticsStep{};
  }
  return TimeStep{};
}

void FeatureExtractor::Plan::run(const Step& step, std::span<const float> x, std::span<float> out) {
  if (std::holds_alternative<TimeStep>(step)) {
    time_features(x, out.first<kTimeFeatures>());
  } else if (const auto* spectrum = std::get_if<SpectrumStep>(&step)) {
    const WholeWindow& whole = wholes[spectrum->whole];
    const std::span<float> bins(power.data(), whole.transform.size() / 2 + 1);
    whole.transform.powers_a(bins);
    const double gain = whole.gain.a;
    spectrum->bands.compute(bins, gain > 0.0 ? 1.0 / (gain * gain) : 0.0, out);
  } else if (std::holds_alternative<CurveStep>(step)) {
    resample_linear(x, out);
  } else if (std::holds_alternative<CurveStatisticsStep>(step)) {
    curve_statistics(x, {scratch.data(), scratch.size()}, out);
  }
}

void FeatureExtractor::Plan::extract_channel(std::span<const float> x, std::span<float> out) {
  for (WholeWindow& whole : wholes) {
    whole.gain = whole.transform.run({x.data(), taper.data(), x.data(), plain.data(), x.size()});
  }
  size_t at = 0;
  for (size_t i = 0; i < steps.size(); ++i) {
    const std::span<float> part = out.subspan(at, sizes[i]);
    if (auto* envelope = std::get_if<EnvelopeStep>(&steps[i])) {
      const WholeWindow& whole = wholes[envelope->whole];
      envelope->envelope.compute(whole.transform, whole.gain.b, part);
    } else if (auto* mel = std::get_if<LogMelStep>(&steps[i])) {
      mel->log_mel.compute(x, part);
    } else {
      run(steps[i], x, part);
    }
    at += sizes[i];
  }
  make_finite(out);
}

void FeatureExtractor::Plan::check_shape(const Window& window) const {
  MW_CHECK(window.channels == spec.channels && window.length == spec.length, "a window has its spec's shape");
  MW_CHECK(window.samples.size() >= spec.channels * spec.length, "a window has all its samples");
}

// Channel c of window w is number w * channels + c; as many at a time as there are lanes.
void FeatureExtractor::Plan::extract_in_lanes(std::span<const Window> windows, std::span<float> out) {
  const size_t per_channel = count / spec.channels;
  const size_t total = windows.size() * spec.channels;
  for (size_t done = 0; done < total;) {
    const size_t lanes = std::min(kRowLanes, total - done);
    std::array<const float*, kRowLanes> from{};
    std::array<float*, kRowLanes> to{};
    for (size_t l = 0; l < lanes; ++l) {
      const size_t number = done + l;
      from[l] = windows[number / spec.channels].channel(number % spec.channels).data();
      to[l] = out.data() + number * per_channel;
    }
    if (lanes >= kMinRowLanes) {
      rows->compute(std::span(from).first(lanes), std::span(to).first(lanes));
      make_finite({to[0], lanes * per_channel});
    } else {
      for (size_t l = 0; l < lanes; ++l) extract_channel({from[l], spec.length}, {to[l], per_channel});
    }
    done += lanes;
  }
}

FeatureExtractor::FeatureExtractor(std::unique_ptr<Plan> plan) : plan_(std::move(plan)) {}
FeatureExtractor::~FeatureExtractor() = default;
FeatureExtractor::FeatureExtractor(FeatureExtractor&&) noexcept = default;
FeatureExtractor& FeatureExtractor::operator=(FeatureExtractor&&) noexcept = default;

Result<FeatureExtractor> FeatureExtractor::create(const FeatureSpec& spec) {
  MW_CHECK_OK(spec.validate());
  auto plan = std::make_unique<Plan>();
  plan->spec = spec;
  plan->count = spec.feature_count();
  for (const FeatureGroup& group : spec.groups) {
    plan->steps.push_back(MW_TRY(plan->step_of(group)));
    FeatureSpec alone = spec;
    alone.channels = 1;
    alone.groups = {group};
    plan->sizes.push_back(alone.feature_count());
  }
  plan->rows = RowFeatures::create(spec);
  return FeatureExtractor(std::move(plan));
}

void FeatureExtractor::extract(const Window& window, std::span<float> out) {
  const FeatureSpec& spec = plan_->spec;
  plan_->check_shape(window);
  MW_CHECK(out.size() == plan_->count, "room for all features, no more");
  const size_t per_channel = plan_->count / spec.channels;
  for (size_t c = 0; c < spec.channels; ++c) {
    plan_->extract_channel(window.channel(c), out.subspan(c * per_channel, per_channel));
  }
}

void FeatureExtractor::extract_batch(std::span<const Window> windows, std::span<float> out) {
  MW_CHECK(out.size() == windows.size() * plan_->count, "room for all windows' features, no more");
  if (plan_->rows) {
    for (const Window& window : windows) plan_->check_shape(window);
    plan_->extract_in_lanes(windows, out);
    return;
  }
  for (size_t i = 0; i < windows.size(); ++i) extract(windows[i], out.subspan(i * plan_->count, plan_->count));
}

size_t FeatureExtractor::feature_count() const { return plan_->count; }
const FeatureSpec& FeatureExtractor::spec() const { return plan_->spec; }

}  // namespace millwright::signal
