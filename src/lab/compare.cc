// SPDX-License-Identifier: Apache-2.0
#include "lab/compare.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <string_view>

#include "base/random.h"
#include "lab/sample_model.h"

namespace millwright::lab {
namespace {

using namespace std::string_view_literals;

constexpr std::array kNames = {"accuracy"sv, "auc"sv, "rmse"sv, "agreement"sv};
constexpr double kSame = 0.02;  // of a score or value
constexpr size_t kResamples = 1'000;
constexpr double kZ95 = 1.959964;

enum class Kind { kClasses, kScore, kValue };

// What a model says of one sample: the class, the score or the value.
double say(Kind kind, std::span<const float> input, std::span<const float> output) {
  if (kind == Kind::kClasses) return static_cast<double>(std::ranges::max_element(output) - output.begin());
  if (kind == Kind::kValue) return output[0];
  double sum = 0.0;
  for (size_t i = 0; i < output.size(); ++i) {
    const double error = static_cast<double>(input[i]) - output[i];
    sum += error * error;
  }
  return sum / static_cast<double>(output.size());
}

struct Said {
  std::vector<double> a;
  std::vector<double> b;
  double max_abs_diff = 0.0;
};

Result<Said> run_both(SampleModel& a, SampleModel& b, Kind kind, recording::Dataset& samples,
                      const CompareOptions& options) {
  Said said;
  for (size_t i = 0; i < samples.size(); ++i) {
    MW_CHECK_OK(a.run(samples, i));
    MW_CHECK_OK(b.run(samples, i));
    const auto from_a = a.session().output_floats();
    const auto from_b = b.session().output_floats();
    for (size_t j = 0; j < from_a.size(); ++j) {
      if (!std::isfinite(from_a[j]) || !std::isfinite(from_b[j])) {
        return fail(ErrorCode::kInvalidInput, "sample {}: an output is not finite", i);
      }
      said.max_abs_diff = std::max(said.max_abs_diff, std::abs(static_cast<double>(from_a[j]) - from_b[j]));
    }
    said.a.push_back(say(kind, a.session().input_floats(), from_a));
    said.b.push_back(say(kind, b.session().input_floats(), from_b));
    if (options.progress) options.progress(i + 1, samples.size());
  }
  return said;
}

double points_auc(std::span<const double> scores, std::span<const double> labels) {
  std::vector<double> normal;
  std::vector<double> anomalous;
  for (size_t i = 0; i < scores.size(); ++i) (labels[i] > 0.5 ? anomalous : normal).push_back(scores[i]);
  return normal.empty() || anomalous.empty() ? 50.0 : 100.0 * auc(normal, anomalous);
}

double rmse(std::span<const double> values, std::span<const double> labels) {
  double sum = 0.0;
  for (size_t i = 0; i < values.size(); ++i) sum += (values[i] - labels[i]) * (values[i] - labels[i]);
  return std::sqrt(sum / static_cast<double>(values.size()));
}

double accuracy(std::span<const double> classes, std::span<const double> labels) {
  size_t right = 0;
  for (size_t i = 0; i < classes.size(); ++i) right += classes[i] == labels[i] ? 1 : 0;
  return 100.0 * static_cast<double>(right) / static_cast<double>(classes.size());
}

// Half a sample is added to each kind of disagreement, so that none at all still leaves an interval.
Interval paired_ci95(const Said& said, std::span<const double> labels) {
  double lost = 0.5;
  double won = 0.5;
  for (size_t i = 0; i < labels.size(); ++i) {
    const bool a = said.a[i] == labels[i];
    const bool b = said.b[i] == labels[i];
    lost += a && !b ? 1.0 : 0.0;
    won += b && !a ? 1.0 : 0.0;
  }
  const double n = static_cast<double>(labels.size()) + 2.0;
  const double drop = (lost - won) / n;
  const double spread = kZ95 * std::sqrt(std::max(0.0, (lost + won) / n - drop * drop) / n);
  return {.low = 100.0 * (drop - spread), .high = 100.0 * (drop + spread)};
}

template <typename Drop>
Interval bootstrap_ci95(const Said& said, std::span<const double> labels, uint64_t seed, const Drop& drop) {
  Random random(seed);
  std::vector<double> drops;
  std::vector<double> a(labels.size());
  std::vector<double> b(labels.size());
  std::vector<double> chosen(labels.size());
  for (size_t round = 0; round < kResamples; ++round) {
    for (size_t i = 0; i < labels.size(); ++i) {
      const size_t from = random.below(labels.size());
      a[i] = said.a[from];
      b[i] = said.b[from];
      chosen[i] = labels[from];
    }
    drops.push_back(drop(a, b, chosen));
  }
  return {.low = quantile(drops, 0.025), .high = quantile(drops, 0.975)};
}

void judge_agreement(const Said& said, Kind kind, Comparison& out) {
  size_t same = 0;
  for (size_t i = 0; i < said.a.size(); ++i) {
    const double room = kind == Kind::kClasses ? 0.0 : kSame * std::abs(said.a[i]);
    same += std::abs(said.a[i] - said.b[i]) <= room ? 1 : 0;
  }
  out.agreement = static_cast<double>(same) / static_cast<double>(said.a.size());
  if (out.metric != Metric::kAgreement) return;
  out.metric_a = 100.0;
  out.metric_b = 100.0 * out.agreement;
  out.drop = out.metric_a - out.metric_b;
  const Interval share = share_ci95(same, said.a.size());
  out.drop_ci95 = {.low = 100.0 * (1.0 - share.high), .high = 100.0 * (1.0 - share.low)};
}

void judge_labels(const Said& said, const CompareOptions& options, Comparison& out) {
  const std::span<const double> labels = options.labels;
  if (out.metric == Metric::kAccuracy) {
    out.metric_a = accuracy(said.a, labels);
    out.metric_b = accuracy(said.b, labels);
    out.drop = out.metric_a - out.metric_b;
    out.drop_ci95 = paired_ci95(said, labels);
  } else if (out.metric == Metric::kAuc) {
    const auto drop = [](const auto& a, const auto& b, const auto& l) { return points_auc(a, l) - points_auc(b, l); };
    out.metric_a = points_auc(said.a, labels);
    out.metric_b = points_auc(said.b, labels);
    out.drop = out.metric_a - out.metric_b;
    out.drop_ci95 = bootstrap_ci95(said, labels, options.seed, drop);
  } else if (out.metric == Metric::kRmse) {
    const auto drop = [](const auto& a, const auto& b, const auto& l) {
      const double before = rmse(a, l);
      return before > 0.0 ? 100.0 * (rmse(b, l) - before) / before : 0.0;
    };
    out.metric_a = rmse(said.a, labels);
    out.metric_b = rmse(said.b, labels);
    out.drop = drop(said.a, said.b, labels);
    out.drop_ci95 = bootstrap_ci95(said, labels, options.seed, drop);
  }
}

bool whole_numbers(std::span<const double> labels) {
  return std::ranges::all_of(labels, [](double label) { return label == std::floor(label) && label >= 0.0; });
}

}  // namespace

std::string_view name(Metric metric) { return kNames[static_cast<size_t>(metric)]; }

Result<Comparison> compare_models(std::span<const std::byte> a, std::span<const std::byte> b,
                                  recording::Dataset& samples, const CompareOptions& options) {
  if (samples.size() == 0) return fail(ErrorCode::kInvalidInput, "compare: no samples");
  SampleModel first = MW_TRY_IN("first model", SampleModel::create(a, samples));
  SampleModel second = MW_TRY_IN("second model", SampleModel::create(b, samples));
  const auto output = first.session().output_floats();
  if (output.size() != second.session().output_floats().size()) {
    return fail(ErrorCode::kInvalidInput, "compare: the models give {} and {} values a sample", output.size(),
                second.session().output_floats().size());
  }
  const Kind kind = output.size() > 1 && output.size() == samples.values() ? Kind::kScore
                    : output.size() > 1                                    ? Kind::kClasses
                                                                           : Kind::kValue;
  const bool classes = whole_numbers(options.labels);
  Comparison out{.n = samples.size()};
  if (!options.labels.empty()) {
    if (kind == Kind::kClasses && !classes) {
      return fail(ErrorCode::kInvalidInput, "compare: {} outputs want classes as labels, whole numbers from 0",
                  output.size());
    }
    out.metric = kind == Kind::kClasses ? Metric::kAccuracy : kind == Kind::kScore ? Metric::kAuc : Metric::kRmse;
  }
  const Said said = MW_TRY(run_both(first, second, kind, samples, options));
  out.max_abs_diff = said.max_abs_diff;
  judge_labels(said, options, out);
  judge_agreement(said, kind, out);
  return out;
}

}  // namespace millwright::lab
