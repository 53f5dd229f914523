// SPDX-License-Identifier: Apache-2.0
#include "lab/float_layers.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "lab/sample_model.h"

namespace millwright::lab {
namespace {

constexpr double kNoNoiseDb = 200.0;

struct Power {
  double signal = 0.0;
  double noise = 0.0;

  void add(std::span<const float> truth, std::span<const float> told) {
    for (size_t i = 0; i < truth.size(); ++i) {
      const double error = static_cast<double>(truth[i]) - told[i];
      signal += static_cast<double>(truth[i]) * truth[i];
      noise += error * error;
    }
  }
  [[nodiscard]] double db() const {
    if (noise <= 0.0) return kNoNoiseDb;
    return signal > 0.0 ? std::min(kNoNoiseDb, 10.0 * std::log10(signal / noise)) : 0.0;
  }
};

// What some values are on each of the samples that are looked at, in the order of `names`; kept whole.
using Truth = std::vector<std::vector<std::vector<float>>>;  // sample, value, element

size_t looked_at(const recording::Dataset& samples) { return std::min(kErrorSamples, samples.size()); }
size_t index_of(size_t look, const recording::Dataset& samples) { return look * samples.size() / looked_at(samples); }

Result<Truth> run_all(std::span<const std::byte> model, std::span<const std::string> names,
                      recording::Dataset& samples) {
  SampleModel runner = MW_TRY(SampleModel::create(model, samples));
  Truth truth;
  for (size_t look = 0; look < looked_at(samples); ++look) {
    MW_CHECK_OK(runner.run(samples, index_of(look, samples)));
    auto& values = truth.emplace_back();
    for (const std::string& name : names) {
      const auto floats = runner.session().output_floats(runner.output(name));
      values.emplace_back(floats.begin(), floats.end());
    }
  }
  return truth;
}

// One measure for each of the names.
Result<std::vector<double>> signal_to_noise(std::span<const std::byte> model, std::span<const std::string> names,
                                            const Truth& truth, recording::Dataset& samples) {
  SampleModel runner = MW_TRY(SampleModel::create(model, samples));
  std::vector<Power> powers(names.size());
  for (size_t look = 0; look < truth.size(); ++look) {
    MW_CHECK_OK(runner.run(samples, index_of(look, samples)));
    for (size_t i = 0; i < names.size(); ++i) {
      powers[i].add(truth[look][i], runner.session().output_floats(runner.output(names[i])));
    }
  }
  std::vector<double> out;
  out.reserve(powers.size());
  for (const Power& power : powers) out.push_back(power.db());
  return out;
}

// The value that tells how well a layer does in both models: what comes out of its pair, or its own result.
std::string shown_value(const QuantPlan& plan, const onnx::Graph& graph, const onnx::Node& node) {
  const onnx::Wiring wiring(graph);
  const auto paired = [&](const std::string& name) {
    return std::ranges::find(plan.activations, name) != plan.activations.end();
  };
  const std::string& result = node.outputs[0];
  if (paired(result) || wiring.readers(result).size() != 1) return result;
  const std::string& next = graph.nodes[wiring.readers(result)[0]].outputs[0];
  return paired(next) ? next : result;
}

}  // namespace

Result<std::vector<LayerError>> layer_errors(const Int8Quantizer& quantizer, const QdqForm& form,
                                             recording::Dataset& samples) {
  const onnx::Graph& graph = quantizer.graph();
  std::vector<LayerError> layers;
  std::vector<std::string> values;
  for (const size_t index : quantizer.plan().weighted) {
    const onnx::Node& node = graph.nodes[index];
    layers.push_back({.node = node.name, .op = node.op});
    values.push_back(shown_value(quantizer.plan(), graph, node));
  }
  const std::vector<std::string> output = {graph.outputs.front().name};
  values.push_back(output.front());

  const Bytes in_float = MW_TRY(with_outputs(graph, values).serialize());
  const Truth truth = MW_TRY(run_all(in_float, values, samples));
  Truth output_truth;
  for (const auto& sample : truth) output_truth.push_back({sample.back()});

  const Quantized all = MW_TRY(quantizer.quantize(form));
  onnx::Graph quantised = MW_TRY(onnx::Graph::parse(all.model));
  quantised.values.insert(graph.values.begin(), graph.values.end());
  const Bytes watched = MW_TRY(with_outputs(quantised, values).serialize());
  const std::vector<double> ratios = MW_TRY(signal_to_noise(watched, values, truth, samples));
  for (size_t i = 0; i < layers.size(); ++i) {
    layers[i].sqnr_db = ratios[i];
    const Quantized without = MW_TRY(quantizer.quantize(form, {layers[i].node}));
    layers[i].gain_db = MW_TRY(signal_to_noise(without.model, output, output_truth, samples)).front() - ratios.back();
  }
  std::ranges::sort(layers, [](const LayerError& a, const LayerError& b) {
    return a.gain_db != b.gain_db ? a.gain_db > b.gain_db : a.node < b.node;
  });
  return layers;
}

Result<Gated> judge(const Int8Quantizer& quantizer, const QdqForm& form, const std::set<std::string>& float_nodes,
                    const Gate& gate) {
  Gated out{.quantized = MW_TRY(quantizer.quantize(form, float_nodes)), .cost = {}, .float_nodes = float_nodes};
  out.cost = MW_TRY(compare_models(gate.before, out.quantized.model, gate.validation, gate.compare));
  out.held = out.cost.drop <= gate.max_drop;
  return out;
}

Result<Gated> search_float_layers(const Int8Quantizer& quantizer, const QdqForm& form,
                                  std::span<const LayerError> ranked, const Gate& gate) {
  Gated best = MW_TRY(judge(quantizer, form, {}, gate));
  for (size_t count = 1; !best.held && count <= ranked.size() / 2; count *= 2) {
    std::set<std::string> worst;
    for (const LayerError& layer : ranked.first(count)) worst.insert(layer.node);
    Gated tried = MW_TRY(judge(quantizer, form, worst, gate));
    if (tried.cost.drop < best.cost.drop) best = std::move(tried);
  }
  return best;
}

}  // namespace millwright::lab
