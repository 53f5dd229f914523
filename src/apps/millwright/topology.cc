// SPDX-License-Identifier: Apache-2.0
#include "lab/topology.h"

#include <cstdio>
#include <memory>

#include <nlohmann/json.hpp>

#include "apps/millwright/command.h"
#include "base/digest.h"
#include "base/files.h"
#include "inference/optimised.h"
#include "model/json_fields.h"
#include "onnx/work.h"

namespace millwright::apps {
namespace {

struct Options {
  std::string name;
  lab::TopologyOptions topology;
  std::filesystem::path out;
  bool as_json = false;
};

Result<int> write_topology(const Options& options) {
  const Bytes model = MW_TRY(lab::topology(options.name, options.topology));
  const auto shaped = MW_TRY(inference::shaped_graph(model));
  const onnx::Work work = onnx::work_of(shaped.graph);
  MW_CHECK_OK(write_file_atomic(options.out, model));
  const nlohmann::json report = {{"topology", options.name},      {"size", options.topology.size},
                                 {"seed", options.topology.seed}, {"bytes", model.size()},
                                 {"parameters", work.parameters}, {"multiply_adds", work.multiply_adds},
                                 {"sha256", sha256(model).hex()}};
  if (options.as_json) {
    fmt::print("{}\n", model::json_line(report));
  } else {
    fmt::print(
        "{}: {} bytes, {} parameters (running statistics of the norms included), {:.3f} G multiply-adds for one "
        "image of {} x {}; weights are random, seed {}\n",
        options.out.string(), model.size(), work.parameters, static_cast<double>(work.multiply_adds) * 1e-9,
        options.topology.size, options.topology.size, options.topology.seed);
  }
  return 0;
}

}  // namespace

Command topology_command(CLI::App& program) {
  auto options = std::make_shared<Options>();
  CLI::App* app = program.add_subcommand(
      "topology", "write a known network with random weights: how fast it runs here, and whether it quantises whole");
  app->add_option("name", options->name, "resnet50 (version 1.5) or mobilenetv2")->required();
  app->add_option("--size", options->topology.size, "height and width of its images, 32 to 1024")
      ->capture_default_str();
  app->add_option("--seed", options->topology.seed, "of its weights: the same gives the same file")
      ->capture_default_str();
  app->add_option("--out", options->out, "the .onnx file")->required();
  app->add_flag("--json", options->as_json, "one JSON object");
  return {app, [options] { return write_topology(*options); }};
}

}  // namespace millwright::apps
