// SPDX-License-Identifier: Apache-2.0
#include "signal/row_features.h"

#include <algorithm>
#include <array>
#include <variant>
#include <vector>

#include "base/check.h"
#include "signal/row_envelope.h"
#include "signal/row_kernels.h"
#include "signal/row_log_mel.h"
#include "signal/row_spectrum.h"
#include "signal/row_time.h"
#include "signal/time_features.h"

namespace millwright::signal {
namespace {

constexpr size_t kMaxLength = 8192;  // its Rows are half a mebibyte: what a second cache holds beside the tables

// Vectors narrower than a Row are split by the compiler through memory, which costs more than it saves. Programs for
// checking run in lanes everywhere.
bool has_row_registers() {
#if defined(MILLWRIGHT_SANITIZED)
  return true;
#elif defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
  return __builtin_cpu_supports("x86-64-v4") != 0;
#else
  return false;
#endif
}

struct TimeStep {};
using Step = std::variant<TimeStep, RowSpectrum, RowEnvelope, RowLogMel>;

}  // namespace

struct RowFeatures::Plan {
  size_t length = 0;
  std::vector<Step> steps;
  std::vector<size_t> sizes;
  RowBuffer x;
  RowBuffer features;
  Buffer<float> silence;  // stands for a missing channel

  bool add(const FeatureGroup& group, double rate_hz);
};

bool RowFeatures::Plan::add(const FeatureGroup& group, double rate_hz) {
  if (std::holds_alternative<TimeFeatures>(group)) {
    steps.emplace_back(TimeStep{});
    sizes.push_back(kTimeFeatures);
    return true;
  }
  if (const auto* g = std::get_if<SpectrumFeatures>(&group)) {
    if (g->nfft < 2 * RowFft::kMinSize || g->nfft > kMaxLength) return false;
    steps.emplace_back(RowSpectrum(*g, length, rate_hz));
    sizes.push_back(g->edges_hz.size() - 1 + 3);
    return true;
  }
  if (const auto* g = std::get_if<EnvelopeFeatures>(&group)) {
    if (g->nfft < 2 * RowFft::kMinSize || g->nfft > kMaxLength) return false;
    auto envelope = RowEnvelope::create(*g, length, rate_hz);
    if (!envelope) return false;
    steps.emplace_back(std::move(*envelope));
    sizes.push_back(g->groups);
    return true;
  }
  if (const auto* g = std::get_if<LogMelFeatures>(&group)) {
    if (g->frame < 2 * RowFft::kMinSize) return false;
    steps.emplace_back(RowLogMel(*g, length, rate_hz));
    sizes.push_back(g->bands);
    return true;
  }
  return false;
}

RowFeatures::RowFeatures(std::unique_ptr<Plan> plan) : plan_(std::move(plan)) {}
RowFeatures::~RowFeatures() = default;

std::unique_ptr<RowFeatures> RowFeatures::create(const FeatureSpec& spec) {
  if (!has_row_registers() || spec.length > kMaxLength) return nullptr;
  auto plan = std::make_unique<Plan>();
  plan->length = spec.length;
  for (const FeatureGroup& group : spec.groups) {
    if (!plan->add(group, spec.rate_hz)) return nullptr;
  }
  plan->x = RowBuffer(spec.length);
  plan->features = RowBuffer(*std::ranges::max_element(plan->sizes));
  plan->silence = Buffer<float>(spec.length);
  return std::unique_ptr<RowFeatures>(new RowFeatures(std::move(plan)));
}

void RowFeatures::compute(std::span<const float* const> channels, std::span<float* const> outs) {
  MW_CHECK(!channels.empty() && channels.size() <= kRowLanes && outs.size() == channels.size(), "one lane per channel");
  std::array<const float*, kRowLanes> lanes;
  lanes.fill(plan_->silence.data());
  std::ranges::copy(channels, lanes.begin());
  const Row* x = plan_->x.data();
  Row* out = plan_->features.data();
  rows_of_windows(lanes.data(), plan_->length, plan_->x.data());
  size_t at = 0;
  for (size_t i = 0; i < plan_->steps.size(); ++i) {
    Step& step = plan_->steps[i];
    if (auto* spectrum = std::get_if<RowSpectrum>(&step)) {
      spectrum->compute(x, out);
    } else if (auto* envelope = std::get_if<RowEnvelope>(&step)) {
      envelope->compute(x, out);
    } else if (auto* mel = std::get_if<RowLogMel>(&step)) {
      mel->compute(x, out);
    } else {
      time_features(x, plan_->length, out);
    }
    for (size_t l = 0; l < outs.size(); ++l) {
      for (size_t k = 0; k < plan_->sizes[i]; ++k) outs[l][at + k] = out[k][l];
    }
    at += plan_->sizes[i];
  }
}

}  // namespace millwright::signal
