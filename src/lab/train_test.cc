// SPDX-License-Identifier: Apache-2.0
// Training, scoring and evaluation over files, as the commands use them.
#include "lab/train.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <numbers>

#include "base/random.h"
#include "inference/scorer.h"
#include "lab/evaluate.h"
#include "lab/folds.h"
#include "lab/run_model.h"
#include "lab/score.h"
#include "lab/selection.h"
#include "recording/recording.h"

namespace millwright::lab {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

constexpr size_t kLength = 256;
constexpr double kRate = 1000.0;

class Train : public testing::Test {
 protected:
  void SetUp() override {
    const auto* info = testing::UnitTest::GetInstance()->current_test_info();
    folder_ = fs::path(testing::TempDir()) / fmt::format("millwright_lab_{}", info->name());
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  // Strokes: a hum, a ring whose strength varies from stroke to stroke, noise. `fault` adds a 300 Hz tone.
  static std::vector<float> strokes(size_t count, double fault, uint64_t seed) {
    Random random(seed);
    std::vector<float> samples;
    samples.reserve(count * kLength);
    for (size_t s = 0; s < count; ++s) {
      const double strength = 1.0 + 0.1 * random.normal();
      const double phase = random.uniform(0.0, 2.0 * std::numbers::pi);
      for (size_t i = 0; i < kLength; ++i) {
        const double t = static_cast<double>(i) / kRate;
        const double ring = strength * std::exp(-12.0 * t) * std::sin(2.0 * std::numbers::pi * 120.0 * t);
        const double tone = fault * std::sin(2.0 * std::numbers::pi * 300.0 * t + phase);
        samples.push_back(static_cast<float>(ring + tone + 0.1 * random.normal()));
      }
    }
    return samples;
  }

  fs::path write(const std::string& name, const std::vector<float>& samples, std::vector<size_t> shape) {
    const fs::path path = folder_ / name;
    const Status written = recording::write_npy(path, samples, std::move(shape));
    EXPECT_TRUE(written) << written.error().message;
    return path;
  }

  TrainOptions options(const fs::path& recording) {
    TrainOptions o;
    o.recordings = {recording};
    o.cut.reading.rate_hz = kRate;
    o.detector = "mahalanobis";
    o.false_alarm_rate = 0.01;
    o.clock = &clock_;
    return o;
  }

  std::string error_of(const TrainOptions& o) {
    const auto bundle = train(o);
    EXPECT_FALSE(bundle);
    return bundle ? "" : bundle.error().message;
  }

  fs::path folder_;
  FakeClock clock_;
};

TEST_F(Train, learns_normal_strokes_and_tells_a_fault_from_them) {
  const fs::path normal = write("normal.npy", strokes(300, 0.0, 1), {300, kLength});
  const auto bundle = train(options(normal));
  ASSERT_TRUE(bundle) << bundle.error().message;
  EvaluateOptions e;
  e.normal = {write("more.npy", strokes(400, 0.0, 2), {400, kLength})};
  e.anomalous = {write("bad.npy", strokes(50, 0.1, 3), {50, kLength})};
  e.reading.rate_hz = kRate;
  const auto evaluation = evaluate(*bundle, e);
  ASSERT_TRUE(evaluation) << evaluation.error().message;
  EXPECT_GT(evaluation->auc, 0.99);
  EXPECT_GT(evaluation->confusion.tpr(), 0.9);
  EXPECT_LT(evaluation->confusion.fpr(), 0.03);
  EXPECT_EQ(evaluation->normal, 400U);
  EXPECT_EQ(evaluation->detections.size(), 1U);
  const auto json = nlohmann::json::parse(to_json(*evaluation));
  for (const char* key : {"auc", "auc_ci95", "tpr", "fpr", "f1", "threshold", "n_normal", "n_anomalous"}) {
    EXPECT_TRUE(json.contains(key)) << key;
  }
}

TEST_F(Train, makes_a_bundle_that_encodes_and_whose_golden_vectors_come_out_right) {
  const auto bundle = train(options(write("normal.npy", strokes(120, 0.0, 1), {120, kLength})));
  ASSERT_TRUE(bundle) << bundle.error().message;
  const auto bytes = model::encode_bundle(*bundle);
  ASSERT_TRUE(bytes) << bytes.error().message;
  const auto back = model::decode_bundle(*bytes);
  ASSERT_TRUE(back) << back.error().message;
  const size_t count = back->golden.expected.size();
  EXPECT_GE(count, 16U);
  const auto features = static_cast<Eigen::Index>(back->features.feature_count());
  const Rows rows = Eigen::Map<const Rows>(back->golden.features.data(), static_cast<Eigen::Index>(count), features);
  const auto run = run_model(*back, rows);
  ASSERT_TRUE(run) << run.error().message;
  for (size_t i = 0; i < count; ++i) EXPECT_NEAR(run->raw[i], back->golden.expected[i], 1e-5 + 1e-3 * run->raw[i]);
  ASSERT_EQ(back->golden.windows.size(), 2 * kLength);
  EXPECT_TRUE(inference::Scorer::create(*back)) << "the golden windows get their scores";
  model::Bundle drifted = *back;
  for (float& sample : drifted.golden.windows) sample *= 1.5F;
  const auto refused = inference::Scorer::create(drifted);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, ::testing::HasSubstr("golden window 0: the score is"));
  ASSERT_EQ(back->health.size(), 1U);
  EXPECT_GT(back->health[0].rms_high, back->health[0].rms_low);
  EXPECT_EQ(back->lineage.training_windows, 120U);
  EXPECT_EQ(back->lineage.data_digest.size(), 64U);
}

TEST_F(Train, gives_the_same_bytes_for_the_same_recordings_and_seed_and_other_data_another_digest) {
  const fs::path normal = write("normal.npy", strokes(80, 0.0, 1), {80, kLength});
  TrainOptions o = options(normal);
  o.detector = "auto";
  const auto a = train(o);
  const auto b = train(o);
  ASSERT_TRUE(a && b);
  EXPECT_EQ(*model::encode_bundle(*a), *model::encode_bundle(*b));
  EXPECT_EQ(a->report.count("sensitivity_pca"), 1U);
  const auto c = train(options(write("other.npy", strokes(80, 0.0, 2), {80, kLength})));
  ASSERT_TRUE(c);
  EXPECT_NE(a->lineage.data_digest, c->lineage.data_digest);
}

TEST_F(Train, every_detector_can_be_asked_for) {
  const fs::path normal = write("normal.npy", strokes(60, 0.0, 1), {60, kLength});
  for (const DetectorKind kind : kDetectorKinds) {
    TrainOptions o = options(normal);
    o.detector = name(kind);
    const auto bundle = train(o);
    ASSERT_TRUE(bundle) << name(kind) << ": " << bundle.error().message;
    EXPECT_EQ(bundle->lineage.detector, name(kind));
  }
}

TEST_F(Train, windows_a_long_recording_and_says_where_each_window_begins) {
  const fs::path normal = write("long.npy", strokes(200, 0.0, 1), {200 * kLength});
  TrainOptions o = options(normal);
  EXPECT_THAT(error_of(o), HasSubstr("--window"));
  o.cut.window = kLength;
  o.cut.hop = kLength / 2;
  const auto bundle = train(o);
  ASSERT_TRUE(bundle) << bundle.error().message;
  EXPECT_EQ(bundle->lineage.training_windows, 399U);
  const auto scored = score(*bundle, {.recordings = {normal}, .reading = o.cut.reading, .hop = {}});
  ASSERT_TRUE(scored) << scored.error().message;
  ASSERT_EQ(scored->size(), 200U);
  EXPECT_NEAR((*scored)[3].start_s, 3 * kLength / kRate, 1e-9);
  const auto line = nlohmann::json::parse(to_json_line((*scored)[3], bundle->features.feature_names()));
  EXPECT_EQ(line["window"], 3);
  EXPECT_EQ(line["top"].size(), 3U);
  EXPECT_TRUE(line["top"][0]["feature"].is_string());
}

TEST_F(Train, resamples_curves_of_different_lengths) {
  for (size_t i = 0; i < 40; ++i) {
    const size_t n = 200 + 7 * (i % 5);
    std::vector<float> curve(n);
    Random random(i);
    const double height = 1.0 + 0.05 * random.normal();
    for (size_t k = 0; k < n; ++k) {
      const double x = static_cast<double>(k) / static_cast<double>(n);
      curve[k] = static_cast<float>(height * x * (1.0 - x) + 0.01 * random.normal());
    }
    write(fmt::format("part{:02}.npy", i), curve, {n});
  }
  TrainOptions o = options(folder_);
  o.cut.reading.rate_hz.reset();
  o.cut.resample = 128;
  const auto bundle = train(o);
  ASSERT_TRUE(bundle) << bundle.error().message;
  EXPECT_EQ(bundle->features.name, "curve");
  EXPECT_EQ(bundle->lineage.training_windows, 40U);
  EXPECT_TRUE(score(*bundle, {.recordings = {folder_}, .reading = {}, .hop = {}}));
}

TEST_F(Train, refuses_bad_input_in_one_line_that_names_file_and_place) {
  EXPECT_THAT(error_of(options(folder_)), HasSubstr(folder_.string()));
  EXPECT_THAT(error_of(options(folder_ / "nowhere.npy")), HasSubstr("nowhere.npy"));
  EXPECT_THAT(error_of(options(write("few.npy", strokes(7, 0.0, 1), {7, kLength}))),
              testing::AllOf(HasSubstr("few.npy"), HasSubstr("at least 20")));
  std::vector<float> bad = strokes(30, 0.0, 1);
  bad[5 * kLength + 17] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_THAT(error_of(options(write("bad.npy", bad, {30, kLength}))),
              testing::AllOf(HasSubstr("bad.npy"), HasSubstr("window 5"), HasSubstr("17")));
  EXPECT_THAT(error_of(options(write("flat.npy", std::vector<float>(40 * kLength, 1.0F), {40, kLength}))),
              HasSubstr("do not vary"));
  TrainOptions o = options(write("good.npy", strokes(30, 0.0, 1), {30, kLength}));
  o.detector = "oracle";
  EXPECT_THAT(error_of(o), HasSubstr("isolation-forest"));
  o.detector = "pca";
  o.false_alarm_rate = 0.7;
  EXPECT_THAT(error_of(o), HasSubstr("0.7"));
}

TEST_F(Train, reports_progress_to_the_end) {
  TrainOptions o = options(write("normal.npy", strokes(40, 0.0, 1), {40, kLength}));
  std::vector<std::string> seen;
  o.progress = [&](size_t done, size_t total, std::string_view step) {
    EXPECT_LT(done, total);
    seen.emplace_back(step);
  };
  ASSERT_TRUE(train(o));
  EXPECT_GE(seen.size(), 4U);
}

TEST(Folds, hold_every_window_out_once_and_never_share_a_sample_with_training) {
  WindowSet windows;
  windows.length = 100;
  windows.hop = 30;
  windows.files = {"a", "b"};
  for (size_t i = 0; i < 150; ++i) {
    const size_t index = i % 75;
    windows.origins.push_back({.file = i / 75, .index = index, .first_sample = index * 30, .start_s = 0.0});
  }
  std::vector<int> held(150);
  for (const Fold& fold : blocked_folds(windows, 3)) {
    for (const Eigen::Index h : fold.held_out) {
      ++held[static_cast<size_t>(h)];
      for (const Eigen::Index t : fold.train) {
        const Origin& a = windows.origins[static_cast<size_t>(h)];
        const Origin& b = windows.origins[static_cast<size_t>(t)];
        const size_t apart =
            a.first_sample > b.first_sample ? a.first_sample - b.first_sample : b.first_sample - a.first_sample;
        EXPECT_TRUE(a.file != b.file || apart >= 100) << h << " and " << t;
      }
    }
  }
  EXPECT_THAT(held, testing::Each(1));
}

TEST(Selection, takes_the_simpler_of_equals_and_the_better_of_different_ones) {
  std::vector<Trial> trials(2);
  trials[0] = {.kind = DetectorKind::kMahalanobis, .held_out = {}, .sensitivity = 0.895};
  trials[1] = {.kind = DetectorKind::kNearestNeighbour, .held_out = {}, .sensitivity = 0.9};
  EXPECT_EQ(choose(trials).kind, DetectorKind::kMahalanobis);
  trials[0].sensitivity = 0.8;
  EXPECT_EQ(choose(trials).kind, DetectorKind::kNearestNeighbour);
}

}  // namespace
}  // namespace millwright::lab
