// SPDX-License-Identifier: Apache-2.0
// CWRU bearings. Normal against fault is saturated there (the RMS alone separates them), so that figure is shown as the
// trap it is; what counts is below: novelty under noise with the level taken away, severity, and fault type on bearings
// that were not learned from. Why: docs/real-data.md.
#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <numeric>
#include <vector>

#include "base/random.h"
#include "cwru_data.h"
#include "lab/detector.h"
#include "lab/score.h"
#include "lab/train.h"
#include "results.h"

namespace millwright::results {
namespace {

using Json = nlohmann::ordered_json;
using Recordings = std::vector<BearingRecording>;

constexpr double kNormalLearned = 0.6;  // of the only normal recording, in time; the rest is judged
constexpr int kBootstraps = 1'000;
constexpr std::optional<double> kNoise[] = {std::nullopt, 0.0, -5.0, -10.0};

std::string noise_name(std::optional<double> snr_db) {
  return snr_db ? fmt::format("{:.0f} dB", *snr_db) : std::string("none");
}

const BearingRecording* normal_of(const Recordings& all) {
  const auto found = std::ranges::find(all, std::string("normal"), &BearingRecording::fault);
  return found == all.end() ? nullptr : &*found;
}

std::vector<double> raw_of(const std::vector<lab::ScoredWindow>& windows) {
  std::vector<double> raw;
  raw.reserve(windows.size());
  for (const lab::ScoredWindow& w : windows) raw.push_back(w.raw);
  return raw;
}

std::vector<double> levels(const lab::WindowSet& windows) {
  std::vector<double> result;
  result.reserve(windows.size());
  for (size_t i = 0; i < windows.size(); ++i) {
    double sum = 0.0;
    for (const float v : windows.window(i).samples) sum += static_cast<double>(v) * v;
    result.push_back(std::sqrt(sum / static_cast<double>(windows.length)));
  }
  return result;
}

// Spearman's rank correlation, ties by mean ranks.
double spearman(const std::vector<double>& a, const std::vector<double>& b) {
  const auto ranks = [](const std::vector<double>& v) {
    std::vector<double> r(v.size());
    for (size_t i = 0; i < v.size(); ++i) {
      const auto below = std::ranges::count_if(v, [&](double x) { return x < v[i]; });
      const auto equal = std::ranges::count(v, v[i]);
      r[i] = static_cast<double>(below) + 0.5 * static_cast<double>(equal - 1);
    }
    return r;
  };
  const std::vector<double> x = ranks(a);
  const std::vector<double> y = ranks(b);
  const double mean = 0.5 * (static_cast<double>(x.size()) - 1.0);
  double xy = 0.0;
  double xx = 0.0;
  double yy = 0.0;
  for (size_t i = 0; i < x.size(); ++i) {
    xy += (x[i] - mean) * (y[i] - mean);
    xx += (x[i] - mean) * (x[i] - mean);
    yy += (y[i] - mean) * (y[i] - mean);
  }
  return xx > 0.0 && yy > 0.0 ? xy / std::sqrt(xx * yy) : 0.0;
}

lab::Interval interval(std::vector<double> values) {
  return {.low = lab::quantile(values, 0.025), .high = lab::quantile(values, 0.975)};
}

void show_trap(const Recordings& all, Json& line) {
  const BearingRecording* normal = normal_of(all);
  const std::vector<double> low = levels(cut(*normal, {.keep_level = true}));
  double worst = 1.0;
  for (const BearingRecording& r : all) {
    if (r.group == "48k_DE") worst = std::min(worst, lab::auc(low, levels(cut(r, {.keep_level = true}))));
  }
  fmt::print("The trap: RMS alone tells normal from every fault (48 kHz, load 0): worst AUC {:.3f}. No evidence.\n",
             worst);
  line["trap_rms_worst_auc"] = worst;
}

// What a detector that was learned under one level of noise makes of every faulty recording under the same.
struct Novelty {
  std::vector<double> aucs;     // per recording
  std::vector<double> medians;  // of the raw score, per recording
  std::vector<double> sizes;    // of the fault
  double worst = 2.0;
  lab::Interval worst_ci;
  std::string worst_name;
  size_t learned = 0;  // windows
  size_t normal = 0;
};

// Learned from the first part of the normal recording, judged against the rest of it; windows at unit RMS.
Result<Novelty> judge_under(const Recordings& all, std::optional<double> snr, uint64_t seed) {
  Cut how{.to = kNormalLearned, .snr_db = snr, .seed = seed};
  const lab::WindowSet learned = cut(*normal_of(all), how);
  how = {.from = kNormalLearned, .snr_db = snr, .seed = seed + 1};
  const lab::WindowSet held_out = cut(*normal_of(all), how);
  const auto spec = MW_TRY(signal::FeatureSpec::named("vibration", 1, learned.length, learned.rate_hz));
  lab::TrainOptions training;
  training.detector = "mahalanobis";
  training.seed = seed;
  training.false_alarm_rate = 0.01;
  const model::Bundle bundle = MW_TRY(lab::train_on(learned, spec, training));
  const std::vector<double> normal = raw_of(MW_TRY(lab::score_windows(bundle, held_out)));

  Novelty n;
  n.learned = learned.size();
  n.normal = normal.size();
  how.from = 0.0;
  for (const BearingRecording& r : all) {
    if (r.group != "48k_DE") continue;
    ++how.seed;
    const std::vector<double> raw = raw_of(MW_TRY(lab::score_windows(bundle, cut(r, how))));
    n.aucs.push_back(lab::auc(normal, raw));
    n.medians.push_back(lab::quantile(raw, 0.5));
    n.sizes.push_back(r.diameter_mil);
    if (n.aucs.back() >= n.worst) continue;
    n.worst = n.aucs.back();
    n.worst_ci = lab::auc_ci95(normal, raw);
    n.worst_name = fmt::format("{} {}", r.fault, r.diameter_mil);
  }
  return n;
}

double mean_of(const std::vector<double>& v) {
  return std::accumulate(v.begin(), v.end(), 0.0) / static_cast<double>(v.size());
}

// Mean AUC and rank correlation, with intervals by drawing recordings again.
Json report_novelty(const Novelty& n, std::optional<double> snr, uint64_t seed) {
  Random random(seed);
  std::vector<double> drawn_auc;
  std::vector<double> drawn_rho;
  for (int b = 0; b < kBootstraps; ++b) {
    std::vector<double> auc;
    std::vector<double> median;
    std::vector<double> size;
    for (size_t i = 0; i < n.aucs.size(); ++i) {
      const size_t k = random.below(n.aucs.size());
      auc.push_back(n.aucs[k]);
      median.push_back(n.medians[k]);
      size.push_back(n.sizes[k]);
    }
    drawn_auc.push_back(mean_of(auc));
    drawn_rho.push_back(spearman(median, size));
  }
  const lab::Interval auc_ci = interval(drawn_auc);
  const lab::Interval rho_ci = interval(drawn_rho);
  const double rho = spearman(n.medians, n.sizes);
  fmt::print("{:<8} {:<28} {:<36} {}\n", noise_name(snr), with_interval(mean_of(n.aucs), auc_ci),
             fmt::format("{}: {}", n.worst_name, with_interval(n.worst, n.worst_ci)), with_interval(rho, rho_ci));
  return {{"mean_auc", mean_of(n.aucs)},
          {"mean_auc_ci95", {auc_ci.low, auc_ci.high}},
          {"worst", n.worst_name},
          {"worst_auc", n.worst},
          {"worst_auc_ci95", {n.worst_ci.low, n.worst_ci.high}},
          {"severity_spearman", rho},
          {"severity_ci95", {rho_ci.low, rho_ci.high}},
          {"n_normal", n.normal},
          {"n_learned", n.learned}};
}

Status novelty(const Recordings& all, const Options& options, Json& line) {
  fmt::print("\nNovelty on 48 kHz, load 0, every window at unit RMS; mahalanobis on 'vibration' features\n");
  fmt::print("{:<8} {:<28} {:<36} {}\n", "noise", "mean AUC of 13 recordings", "worst recording",
             "rank correlation of score and size");
  for (const std::optional<double> snr : kNoise) {
    const Novelty n = MW_TRY(judge_under(all, snr, options.seed));
    line["novelty"][noise_name(snr)] = report_novelty(n, snr, options.seed);
  }
  return {};
}

// What one recording's windows were taken for.
struct Judged {
  std::string truth;
  double right = 0.0;  // share of its windows
};

struct Bearing {
  const BearingRecording* recording;
  lab::Rows rows;
};

Result<std::vector<Bearing>> bearings_under(const Recordings& all, std::optional<double> snr, uint64_t seed) {
  std::vector<Bearing> result;
  for (const BearingRecording& r : all) {
    if (r.group != "12k_DE") continue;
    const lab::WindowSet windows = cut(r, {.length = 1024, .snr_db = snr, .seed = ++seed});
    const auto spec = MW_TRY(signal::FeatureSpec::named("vibration", 1, windows.length, windows.rate_hz));
    const std::vector<float> features = MW_TRY(lab::extract_features(spec, windows));
    result.push_back({&r, Eigen::Map<const lab::Rows>(features.data(), static_cast<Eigen::Index>(windows.size()),
                                                      static_cast<Eigen::Index>(spec.feature_count()))});
  }
  return result;
}

// One Mahalanobis detector per class, learned from `learned`; a window belongs to the class it is least strange to.
template <typename ClassOf>
void classify(const std::vector<const Bearing*>& learned, const std::vector<const Bearing*>& judged, ClassOf class_of,
              std::vector<Judged>& out) {
  std::map<std::string, std::vector<const Bearing*>> by_class;
  for (const Bearing* b : learned) by_class[class_of(*b->recording)].push_back(b);
  std::map<std::string, std::unique_ptr<lab::Detector>> detectors;
  for (const auto& [name, members] : by_class) {
    Eigen::Index count = 0;
    for (const Bearing* b : members) count += b->rows.rows();
    lab::Rows rows(count, members.front()->rows.cols());
    Eigen::Index at = 0;
    for (const Bearing* b : members) {
      rows.middleRows(at, b->rows.rows()) = b->rows;
      at += b->rows.rows();
    }
    detectors[name] = lab::train_detector(lab::DetectorKind::kMahalanobis, rows, 1);
  }
  for (const Bearing* b : judged) {
    lab::Vector best = lab::Vector::Constant(b->rows.rows(), HUGE_VAL);
    std::vector<std::string> taken_for(static_cast<size_t>(b->rows.rows()));
    for (const auto& [name, detector] : detectors) {
      const lab::Vector score = detector->scores(b->rows);
      for (Eigen::Index i = 0; i < score.size(); ++i) {
        if (score[i] >= best[i]) continue;
        best[i] = score[i];
        taken_for[static_cast<size_t>(i)] = name;
      }
    }
    const std::string truth = class_of(*b->recording);
    const auto right = static_cast<double>(std::ranges::count(taken_for, truth));
    out.push_back({.truth = truth, .right = right / static_cast<double>(taken_for.size())});
  }
}

// The mean over classes of the mean over recordings.
double balanced(const std::vector<Judged>& judged) {
  std::map<std::string, std::pair<double, double>> sums;
  for (const Judged& j : judged) {
    sums[j.truth].first += j.right;
    sums[j.truth].second += 1.0;
  }
  double result = 0.0;
  for (const auto& [name, sum] : sums) result += sum.first / sum.second / static_cast<double>(sums.size());
  return result;
}

Json report(const char* label, std::optional<double> snr, const std::vector<Judged>& judged, double chance,
            uint64_t seed) {
  Random random(seed);
  std::vector<double> drawn;
  for (int b = 0; b < kBootstraps; ++b) {
    std::vector<Judged> again;
    again.reserve(judged.size());
    for (size_t i = 0; i < judged.size(); ++i) again.push_back(judged[random.below(judged.size())]);
    drawn.push_back(balanced(again));
  }
  const lab::Interval ci = interval(drawn);
  fmt::print("{:<8} {:<44} {:<24} chance {:.2f}\n", noise_name(snr), label, with_interval(balanced(judged), ci),
             chance);
  return {{"balanced_accuracy", balanced(judged)}, {"ci95", {ci.low, ci.high}}, {"recordings", judged.size()}};
}

Status by_bearing(const Recordings& all, const Options& options, Json& line) {
  fmt::print("\nFault type and severity on 12 kHz, every window at unit RMS; intervals over recordings\n");
  for (const std::optional<double> snr : kNoise) {
    const std::vector<Bearing> bearings = MW_TRY(bearings_under(all, snr, options.seed * 1000));
    const auto pick = [&](auto wanted) {
      std::vector<const Bearing*> picked;
      for (const Bearing& b : bearings) {
        if (wanted(*b.recording)) picked.push_back(&b);
      }
      return picked;
    };
    std::vector<Judged> type;
    for (const int size : {7, 14, 21}) {
      classify(
          pick([&](const BearingRecording& r) { return r.diameter_mil != size && r.diameter_mil <= 21; }),
          pick([&](const BearingRecording& r) { return r.diameter_mil == size; }),
          [](const BearingRecording& r) { return r.fault; }, type);
    }
    std::vector<Judged> severity;
    for (const char* fault : {"ball", "inner", "outer"}) {
      for (int load = 0; load <= 3; ++load) {
        classify(
            pick([&](const BearingRecording& r) { return r.fault == fault && r.load_hp != load; }),
            pick([&](const BearingRecording& r) { return r.fault == fault && r.load_hp == load; }),
            [](const BearingRecording& r) { return fmt::format("{} {}", r.fault, r.diameter_mil); }, severity);
      }
    }
    line["fault_type_by_bearing"][noise_name(snr)] =
        report("fault type, size not learned (by bearing)", snr, type, 1.0 / 3.0, options.seed);
    line["severity_by_load_leaks"][noise_name(snr)] =
        report("severity, load not learned (SAME bearings)", snr, severity, 1.0 / 3.67, options.seed);
  }
  return {};
}

}  // namespace

Status cwru(const Options& options) {
  const Recordings all = MW_TRY(load_cwru(options.data / "cwru"));
  if (normal_of(all) == nullptr) return fail(ErrorCode::kCorrupt, "cwru: the normal recording is missing");
  fmt::print("cwru: {} recordings of the drive end\n", all.size());
  Json line = {{"name", "cwru"}, {"seed", options.seed}};
  show_trap(all, line);
  MW_CHECK_OK(novelty(all, options, line));
  MW_CHECK_OK(by_bearing(all, options, line));
  fmt::print("\n{}\n", line.dump());
  return {};
}

}  // namespace millwright::results
