// SPDX-License-Identifier: Apache-2.0
// Pruning and quantising of models that nobody chose: 50 made at random, and every file in the data folder. Each pass
// gives a model that says what it must, or refuses and names the operator.
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/files.h"
#include "lab/kernel_check.h"
#include "lab/prune.h"
#include "lab/quantize.h"
#include "lab/quantize_fixture.h"
#include "lab/raised.h"
#include "lab/sample_model.h"
#include "models/random_model.h"

namespace millwright::models {
namespace {

using lab::FakeDataset;

constexpr uint64_t kModels = 50;
constexpr size_t kSamples = 8;
constexpr double kSameOutputs = 1e-4;
// Signal to noise that 8 bits leave a small network of random weights; a scale or zero point that is wrong leaves less
// than nothing.
constexpr double kLeastSqnr = 8.0;

struct Outputs {
  std::vector<float> values;  // of all outputs, all samples
};

Outputs run(const Bytes& model, FakeDataset& samples) {
  Outputs out;
  auto session = lab::SampleModel::create(model, samples);
  EXPECT_TRUE(session) << session.error().message;
  if (!session) return out;
  for (size_t i = 0; i < samples.size(); ++i) {
    const auto ran = session->run(samples, i);
    EXPECT_TRUE(ran) << ran.error().message;
    for (size_t o = 0; o < session->session().outputs().size(); ++o) {
      const auto values = session->session().output_floats(o);
      out.values.insert(out.values.end(), values.begin(), values.end());
    }
  }
  EXPECT_TRUE(std::ranges::all_of(out.values, [](float value) { return std::isfinite(value); }));
  return out;
}

double largest_difference(const Outputs& a, const Outputs& b) {
  EXPECT_EQ(a.values.size(), b.values.size());
  double largest = 0.0;
  for (size_t i = 0; i < std::min(a.values.size(), b.values.size()); ++i) {
    largest = std::max(largest, std::abs(static_cast<double>(a.values[i]) - b.values[i]));
  }
  return largest;
}

double sqnr_db(const Outputs& meant, const Outputs& said) {
  EXPECT_EQ(meant.values.size(), said.values.size());
  double signal = 1e-12;
  double noise = 1e-12;
  for (size_t i = 0; i < std::min(meant.values.size(), said.values.size()); ++i) {
    const double difference = static_cast<double>(meant.values[i]) - said.values[i];
    signal += static_cast<double>(meant.values[i]) * meant.values[i];
    noise += difference * difference;
  }
  return 10.0 * std::log10(signal / noise);
}

// A refusal is of use where it says which operator is in the way.
void expect_names_an_operator(const Error& error, const std::set<std::string>& operators) {
  EXPECT_TRUE(std::ranges::any_of(operators, [&](const auto& op) { return error.message.contains(op); }))
      << "no operator is named: " << error.message;
}

// The masked model is the one before, prepared, with zeros in some places and nothing else.
void expect_only_zeros_changed(const Bytes& before, const Bytes& masked) {
  auto raised = onnx::Graph::parse(before);
  ASSERT_TRUE(raised);
  const auto whole = lab::raised_and_prepared(*std::move(raised));
  const auto part = onnx::Graph::parse(masked);
  ASSERT_TRUE(whole && part);
  EXPECT_EQ(whole->nodes.size(), part->nodes.size());
  size_t zeroed = 0;
  for (const auto& [name, tensor] : part->constants) {
    const onnx::Tensor* original = whole->constant(name);
    if (original == nullptr || tensor.type != onnx::ElementType::kFloat) continue;
    ASSERT_EQ(original->dims, tensor.dims) << name;
    for (size_t i = 0; i < tensor.elements(); ++i) {
      if (tensor.floats()[i] == original->floats()[i]) continue;
      ASSERT_EQ(tensor.floats()[i], 0.0F) << name;
      ++zeroed;
    }
  }
  EXPECT_GT(zeroed, 0U);
}

struct Passed {
  bool pruned = false;
  bool quantised = false;
};

Passed pass_all(const Bytes& model, FakeDataset& samples, const std::set<std::string>& operators) {
  Passed passed;
  const Outputs before = run(model, samples);
  const auto pruned = lab::prune(model, {.ratio = 0.3});
  if (pruned) {
    passed.pruned = true;
    EXPECT_LT(pruned->parameters_after, pruned->parameters_before);
    EXPECT_LE(largest_difference(run(pruned->masked, samples), run(pruned->model, samples)), kSameOutputs);
    expect_only_zeros_changed(model, pruned->masked);
  } else {
    fmt::print("refused: {}\n", pruned.error().message);
    expect_names_an_operator(pruned.error(), operators);
  }
  const auto quantize = [&](const Bytes& from) {
    const auto quantizer = lab::Int8Quantizer::create(from, samples, {.method = lab::CalibrationMethod::kMinMax});
    if (!quantizer) {
      expect_names_an_operator(quantizer.error(), operators);
      return false;
    }
    const auto quantised = quantizer->quantize();
    EXPECT_TRUE(quantised) << quantised.error().message;
    if (!quantised) return false;
    const auto check = lab::check_kernels(*quantised);
    EXPECT_TRUE(check) << check.error().message;
    if (check && check->missing != 0) {
      for (const auto& one : check->left_float) ADD_FAILURE() << one.node << ": " << one.why;
    }
    EXPECT_GE(sqnr_db(run(from, samples), run(quantised->model, samples)), kLeastSqnr);
    return true;
  };
  passed.quantised = quantize(model);
  if (pruned) {
    EXPECT_EQ(quantize(pruned->model), passed.quantised);
  }
  return passed;
}

// More where somebody asks: MILLWRIGHT_GENERATED_MODELS=5000.
uint64_t models_wanted() {
  const char* asked = std::getenv("MILLWRIGHT_GENERATED_MODELS");
  return asked == nullptr ? kModels : std::max<uint64_t>(kModels, std::strtoull(asked, nullptr, 10));
}

TEST(GeneratedModels, PassPruningAndQuantisingOrAreRefusedByName) {
  size_t pruned = 0;
  size_t quantised = 0;
  std::set<std::string> operators;
  std::set<int64_t> opsets;
  const uint64_t count = models_wanted();
  for (uint64_t seed = 1; seed <= count; ++seed) {
    const RandomModel model = random_model(seed);
    SCOPED_TRACE(fmt::format("seed {}, opset {}", seed, model.opset));
    FakeDataset samples(kSamples, model.sample_shape, seed);
    const Passed passed = pass_all(model.bytes, samples, model.operators);
    pruned += passed.pruned ? 1 : 0;
    quantised += passed.quantised ? 1 : 0;
    operators.insert(model.operators.begin(), model.operators.end());
    opsets.insert(model.opset);
  }
  fmt::print("{} of {} pruned, {} quantised, {} operators, {} operator sets\n", pruned, count, quantised,
             operators.size(), opsets.size());
  // Refusing everything would pass the rest.
  EXPECT_GE(pruned, count / 2);
  EXPECT_GE(quantised, count * 9 / 10);
  EXPECT_GE(operators.size(), 20U);
  EXPECT_EQ(opsets.size(), 11U);
}

TEST(GeneratedModels, AreTheSameForTheSameSeed) {
  EXPECT_EQ(random_model(7).bytes, random_model(7).bytes);
  EXPECT_NE(random_model(7).bytes, random_model(8).bytes);
}

std::filesystem::path data_folder() {
  if (const char* named = std::getenv("MILLWRIGHT_DATA")) return named;
  return std::filesystem::path(MILLWRIGHT_SOURCE_DIR) / ".." / "shared" / "data";
}

TEST(RealModels, PassPruningAndQuantisingOrAreRefusedByName) {
  const auto folder = data_folder() / "models";
  if (!std::filesystem::is_directory(folder)) GTEST_SKIP() << folder << " is not there: real models are not tried";
  size_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() != ".onnx") continue;
    SCOPED_TRACE(entry.path().filename().string());
    const auto bytes = read_file(entry.path(), 64 << 20);
    ASSERT_TRUE(bytes);
    const auto model = onnx::Model::parse(*bytes);
    ASSERT_TRUE(model) << model.error().message;
    const onnx::Summary summary = model->summary();
    std::set<std::string> operators;
    for (const auto& [op, times] : summary.operators) operators.insert(op);
    std::vector<int64_t> shape;
    for (size_t i = 1; i < summary.inputs.at(0).shape.size(); ++i) shape.push_back(summary.inputs[0].shape[i].size);
    FakeDataset samples(kSamples, shape, 1);
    const Passed passed = pass_all(*bytes, samples, operators);
    fmt::print("{}: pruned {}, quantised {}\n", entry.path().filename().string(), passed.pruned, passed.quantised);
    ++count;
  }
  EXPECT_GT(count, 0U);
}

}  // namespace
}  // namespace millwright::models
