// SPDX-License-Identifier: Apache-2.0
#include "lab/kernel_check.h"

#include <algorithm>
#include <set>
#include <utility>

namespace millwright::lab {
namespace {

using inference::Kernel;
using inference::KernelKind;

// The runtime keeps a node's name, or puts more around it ("Conv_3_nchwc", "Gemm_7/MatMul", "fused Gemm_7").
bool stems_from(std::string_view kernel, const std::string& node) {
  constexpr std::string_view kFused = "fused ";
  if (kernel.starts_with(kFused) && !node.starts_with(kFused)) kernel.remove_prefix(kFused.size());
  if (node.empty() || !kernel.starts_with(node)) return false;
  return kernel.size() == node.size() || kernel[node.size()] == '_' || kernel[node.size()] == '/';
}

// The longest name fits best: "Conv_1" is no stem of "Conv_1_1" where that is a node of its own.
template <typename List, typename NameOf>
auto stem(const std::string& kernel, const List& list, NameOf name_of) {
  auto best = list.end();
  for (auto at = list.begin(); at != list.end(); ++at) {
    if (!stems_from(kernel, name_of(*at))) continue;
    if (best == list.end() || name_of(*at).size() > name_of(*best).size()) best = at;
  }
  return best;
}

std::string describe(const Kernel& kernel) { return fmt::format("kernel '{}' ({})", kernel.name, kernel.op); }

}  // namespace

KernelCheck judge_kernels(inference::Kernels kernels, const QuantPlan& plan) {
  KernelCheck out;
  size_t kept = 0;
  for (const Kernel& kernel : kernels.nodes) {
    if (kernel.kind != KernelKind::kFloat) continue;
    const auto meant = stem(kernel.name, plan.left_float, [](const LeftFloat& one) { return one.name; });
    const auto quantised = stem(kernel.name, plan.weighted_names, [](const std::string& name) { return name; });
    const bool was_quantised = quantised != plan.weighted_names.end() &&
                               (meant == plan.left_float.end() || quantised->size() > meant->name.size());
    if (was_quantised) {
      ++kept;
      out.left_float.push_back(
          {describe(kernel), "it is quantised, and ONNX Runtime kept its float kernel", *quantised});
    } else if (meant != plan.left_float.end()) {
      out.left_float.push_back(*meant);
    } else {
      out.left_float.push_back({describe(kernel), "no 8-bit form of it is written here", kernel.name});
    }
  }
  // A kernel under a name of its own escapes the comparison of names, not the count.
  const size_t planned = plan.weighted.size();
  out.missing = std::max(kept, planned > kernels.integer ? planned - kernels.integer : 0);
  out.kernels = std::move(kernels);
  return out;
}

Result<KernelCheck> check_kernels(const Quantized& quantized) {
  return judge_kernels(MW_TRY(inference::kernels(quantized.model)), quantized.plan);
}

}  // namespace millwright::lab
