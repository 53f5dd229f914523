// SPDX-License-Identifier: Apache-2.0
#include "apps/millwright/inspect_model.h"

#include <algorithm>
#include <map>
#include <set>

#include <nlohmann/json.hpp>

#include "base/digest.h"
#include "lab/anatomy.h"
#include "model/json_fields.h"

namespace millwright::apps {
namespace {

using nlohmann::json;

std::string shape_text(const onnx::Shape& shape) {
  std::string text;
  for (const onnx::Dim& dim : shape)
    text += (text.empty() ? "" : ", ") + (dim.name.empty() ? std::to_string(dim.size) : dim.name);
  return "(" + text + ")";
}

json values_json(const std::vector<onnx::ValueInfo>& values) {
  json list = json::array();
  for (const auto& value : values) {
    list.push_back({{"name", value.name}, {"type", onnx::name(value.type)}, {"shape", shape_text(value.shape)}});
  }
  return list;
}

json or_null(const std::optional<uint64_t>& count) { return count ? json(*count) : json(); }

// "float (1, 64, 112, 112)" of a constant or a value; "" where nobody knows.
std::string value_text(const onnx::Graph& graph, const std::string& name) {
  if (const onnx::Tensor* constant = graph.constant(name)) {
    return fmt::format("{} {}", onnx::name(constant->type),
                       shape_text(onnx::Shape(constant->dims.begin(), constant->dims.end())));
  }
  const onnx::ValueInfo* value = graph.value(name);
  return value == nullptr ? "" : fmt::format("{} {}", onnx::name(value->type), shape_text(value->shape));
}

json nodes_json(const lab::Anatomy& found) {
  json list = json::array();
  for (size_t i = 0; i < found.graph.nodes.size(); ++i) {
    const onnx::Node& node = found.graph.nodes[i];
    const onnx::NodeWork& work = found.work.nodes[i];
    const auto values = [&](const std::vector<std::string>& names) {
      json told = json::array();
      for (const std::string& name : names) {
        told.push_back({{"name", name},
                        {"is", value_text(found.graph, name)},
                        {"constant", found.graph.constant(name) != nullptr}});
      }
      return told;
    };
    list.push_back({{"name", node.name},
                    {"op", node.domain.empty() ? node.op : node.domain + "." + node.op},
                    {"inputs", values(node.inputs)},
                    {"outputs", values(node.outputs)},
                    {"multiply_adds", or_null(work.multiply_adds)},
                    {"parameters", work.parameters},
                    {"result_bytes", or_null(work.bytes)},
                    {"live_bytes", work.live_bytes}});
  }
  return list;
}

json memory_json(const lab::Anatomy& found) {
  json out = {{"weights_bytes", found.work.parameter_bytes},
              {"peak_activation_bytes", found.work.activation_bytes},
              {"peak_is_whole", found.work.activation_bound}};
  if (found.work.peak) out["peak_node"] = found.graph.nodes[*found.work.peak].describe();
  if (found.runtime) out["measured_process_bytes"] = found.runtime->trial.peak_rss_bytes;
  return out;
}

// Who ran a kernel, by its name.
class Providers {
 public:
  explicit Providers(const std::vector<inference::PlacedNode>& placement) {
    for (const auto& placed : placement) {
      by_name_.emplace(placed.name, placed.provider);
      by_op_[placed.op].insert(placed.provider);
    }
  }
  // Null where the run did not come by it. A node without a name is told by its operator, if all of that operator went
  // to one provider: ONNX Runtime's profile makes up names for them that nothing else shows.
  [[nodiscard]] json of(const inference::Kernel& kernel) const {
    if (const auto found = by_name_.find(kernel.name); !kernel.name.empty() && found != by_name_.end()) {
      return found->second;
    }
    const auto found = by_op_.find(kernel.op.substr(kernel.op.rfind('.') + 1));
    const bool is_clear = kernel.name.empty() && found != by_op_.end() && found->second.size() == 1;
    return is_clear ? json(*found->second.begin()) : json();
  }

 private:
  std::map<std::string, std::string> by_name_;
  std::map<std::string, std::set<std::string>> by_op_;
};

json runtime_json(const lab::Anatomy& found, const inference::Rung& rung) {
  if (!found.runtime) return {{"loaded", false}, {"why", found.why_no_runtime}};
  const auto& kernels = found.runtime->kernels;
  std::map<std::string, uint64_t> providers;
  for (const auto& placed : found.runtime->placement) ++providers[placed.provider];
  const Providers by_name(found.runtime->placement);
  json list = json::array();
  if (rung.provider == inference::Provider::kCpu) {
    for (const auto& kernel : kernels.nodes) {
      list.push_back({{"name", kernel.name},
                      {"op", kernel.op},
                      {"result", kernel.result},
                      {"kind", inference::name(kernel.kind)},
                      {"provider", by_name.of(kernel)}});
    }
  } else {
    for (const auto& placed : found.runtime->placement) {
      list.push_back({{"name", placed.name},
                      {"op", placed.op},
                      {"kind", inference::name(inference::kernel_kind(placed.op))},
                      {"provider", placed.provider}});
    }
  }
  json out = {{"loaded", true},
              {"version", inference::runtime_version()},
              {"load_ms", found.runtime->trial.load_ms},
              {"integer_kernels", kernels.integer},
              {"quantisable_kernels", kernels.integer + kernels.left_float},
              {"float_kernels", kernels.left_float},
              {"unfused_conv", kernels.unfused_conv},
              {"converters", kernels.converters},
              {"kernels", kernels.counts},
              {"asked", inference::runtime_name(rung.provider)},
              {"providers", providers},
              {"kernel_list", std::move(list)}};
  if (!found.runtime->why_no_placement.empty()) out["why_no_placement"] = found.runtime->why_no_placement;
  return out;
}

std::string mega(double count) {
  if (count < 1e5) return fmt::format("{:.0f}", count);
  return count >= 1e9 ? fmt::format("{:.3f} G", count * 1e-9) : fmt::format("{:.3f} M", count * 1e-6);
}

// "-" for what is not known.
std::string count_text(const json& count) { return count.is_null() ? "-" : std::to_string(count.get<uint64_t>()); }

std::string results_text(const json& node) {
  std::string text;
  for (const json& output : node["outputs"]) {
    if (!output["name"].get<std::string>().empty())
      text += (text.empty() ? "" : "; ") + output["is"].get<std::string>();
  }
  return text;
}

std::string runtime_text(const json& runtime) {
  if (!runtime["loaded"].get<bool>()) {
    return fmt::format("not loaded by the runtime: {}\n", printable(runtime["why"].get<std::string>()));
  }
  std::string text = fmt::format(
      "ONNX Runtime {} makes of it, optimised for the CPU: {} of {} quantisable kernels calculate with integers, {} in "
      "float "
      "({} convolutions), {} converters between\n",
      runtime["version"].get<std::string>(), runtime["integer_kernels"].get<uint64_t>(),
      runtime["quantisable_kernels"].get<uint64_t>(), runtime["float_kernels"].get<uint64_t>(),
      runtime["unfused_conv"].get<uint64_t>(), runtime["converters"].get<uint64_t>());
  for (const auto& [provider, count] : runtime["providers"].items()) {
    text += fmt::format("  {} kernels run on {}\n", count.get<uint64_t>(), provider);
  }
  if (runtime.contains("why_no_placement")) {
    text +=
        fmt::format("  who runs each is not known: {}\n", printable(runtime["why_no_placement"].get<std::string>()));
  }
  return text;
}

}  // namespace

Result<json> model_json(std::span<const std::byte> model, const inference::Rung& rung) {
  const lab::Anatomy found = MW_TRY(lab::anatomy(model, rung));
  const onnx::Summary& summary = found.summary;
  return json{{"kind", "onnx"},
              {"sha256", sha256(model).hex()},
              {"ir_version", summary.ir_version},
              {"opsets", summary.opsets},
              {"producer", summary.producer},
              {"graph", summary.graph_name},
              {"inputs", values_json(summary.inputs)},
              {"outputs", values_json(summary.outputs)},
              {"operators", summary.operators},
              {"nodes", summary.nodes},
              {"parameters", summary.parameters},
              {"parameter_bytes", summary.parameter_bytes},
              {"metadata", summary.metadata},
              {"dynamic_inputs", found.dynamic},
              {"multiply_adds", found.work.multiply_adds},
              {"uncounted_nodes", found.work.uncounted_nodes},
              {"memory", memory_json(found)},
              {"runtime", runtime_json(found, rung)},
              {"node_list", nodes_json(found)}};
}

std::string printable(std::string text) {
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) c = '?';
  }
  return text;
}

std::string work_text(const json& model) {
  const json& memory = model["memory"];
  const auto uncounted = model["uncounted_nodes"].get<uint64_t>();
  std::string text = fmt::format("one run{}: {} multiply-adds of convolutions, products and recurrent layers{}\n",
                                 model["dynamic_inputs"].empty() ? "" : ", open dimensions taken as 1",
                                 mega(model["multiply_adds"].get<double>()),
                                 uncounted == 0 ? "" : fmt::format(" ({} nodes could not be counted)", uncounted));
  text += fmt::format("memory: weights {} bytes; activations at most {} bytes{}{}\n",
                      memory["weights_bytes"].get<uint64_t>(), memory["peak_activation_bytes"].get<uint64_t>(),
                      memory.contains("peak_node")
                          ? fmt::format(" held at once, at {}", printable(memory["peak_node"].get<std::string>()))
                          : "",
                      memory["peak_is_whole"].get<bool>() ? "" : "; some shapes are not known, so that it may be more");
  return text + runtime_text(model["runtime"]);
}

std::string node_tables(const json& model) {
  std::string text = fmt::format("{:<32} {:<22} {:>14} {:>12} {:>12}  {}\n", "node", "operator", "multiply-adds",
                                 "parameters", "held bytes", "makes");
  for (const json& node : model["node_list"]) {
    text += printable(fmt::format("{:<32} {:<22} {:>14} {:>12} {:>12}  {}", node["name"].get<std::string>(),
                                  node["op"].get<std::string>(), count_text(node["multiply_adds"]),
                                  node["parameters"].get<uint64_t>(), node["live_bytes"].get<uint64_t>(),
                                  results_text(node))) +
            "\n";
  }
  const json& runtime = model["runtime"];
  if (!runtime["loaded"].get<bool>()) return text;
  text += fmt::format("\n{:<40} {:<32} {:<10} {}\n", "kernel", "operator", "kind", "runs on");
  for (const json& kernel : runtime["kernel_list"]) {
    text += printable(fmt::format("{:<40} {:<32} {:<10} {}", kernel["name"].get<std::string>(),
                                  kernel["op"].get<std::string>(), kernel["kind"].get<std::string>(),
                                  kernel["provider"].is_null() ? "-" : kernel["provider"].get<std::string>())) +
            "\n";
  }
  return text;
}

}  // namespace millwright::apps
