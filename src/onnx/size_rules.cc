// SPDX-License-Identifier: Apache-2.0
#include "onnx/size_rules.h"

#include <algorithm>
#include <cmath>
#include <string_view>
#include <unordered_map>

namespace millwright::onnx {
namespace {

using Inputs = std::vector<const Known*>;
using Guess = std::optional<Known>;
using Rule = Guess (*)(const wire::NodeProto&, const Inputs&);

const Known* at(const Inputs& inputs, size_t index) { return index < inputs.size() ? inputs[index] : nullptr; }

const std::vector<double>* values_at(const Inputs& inputs, size_t index) {
  const Known* known = at(inputs, index);
  return known != nullptr && known->values ? &*known->values : nullptr;
}

const wire::AttributeProto* find(const wire::NodeProto& node, std::string_view name) {
  const auto found = std::ranges::find(node.attribute(), name, &wire::AttributeProto::name);
  return found == node.attribute().end() ? nullptr : &*found;
}

int64_t attribute_int(const wire::NodeProto& node, std::string_view name, int64_t otherwise) {
  const auto* attribute = find(node, name);
  return attribute == nullptr ? otherwise : attribute->i();
}

std::optional<size_t> axis_of(int64_t axis, size_t rank) {
  if (axis < 0) axis += static_cast<int64_t>(rank);
  if (axis < 0 || static_cast<size_t>(axis) >= rank) return std::nullopt;
  return static_cast<size_t>(axis);
}

bool is_shape(const std::vector<double>& sizes) {
  return std::ranges::all_of(sizes, [](double size) { return size >= 0.0; });
}

Guess broadcast(const std::vector<double>& a, const std::vector<double>& b) {
  Known out{.shape = std::vector<double>(std::max(a.size(), b.size())), .values = {}};
  for (size_t i = 0; i < out.shape.size(); ++i) {
    const double left = i < a.size() ? a[a.size() - 1 - i] : 1.0;
    const double right = i < b.size() ? b[b.size() - 1 - i] : 1.0;
    if (left != right && left != 1.0 && right != 1.0) return std::nullopt;
    out.shape[out.shape.size() - 1 - i] = left == 1.0 ? right : left;
  }
  return out;
}

// All inputs broadcast; with values where two small constants meet.
Guess elementwise(const wire::NodeProto& node, const Inputs& inputs) {
  Known out;
  for (const Known* input : inputs) {
    if (input == nullptr) return std::nullopt;
    const Guess next = broadcast(out.shape, input->shape);
    if (!next) return std::nullopt;
    out = *next;
  }
  const auto* a = values_at(inputs, 0);
  const auto* b = values_at(inputs, 1);
  if (inputs.size() != 2 || a == nullptr || b == nullptr || a->empty() || b->empty()) return out;
  if (a->size() != b->size() && a->size() != 1 && b->size() != 1) return out;
  std::vector<double> values(std::max(a->size(), b->size()));
  for (size_t i = 0; i < values.size(); ++i) {
    const double x = (*a)[a->size() == 1 ? 0 : i];
    const double y = (*b)[b->size() == 1 ? 0 : i];
    if (node.op_type() == "Mul")
      values[i] = x * y;
    else if (node.op_type() == "Add")
      values[i] = x + y;
    else if (node.op_type() == "Sub")
      values[i] = x - y;
    else if (node.op_type() == "Max")
      values[i] = std::max(x, y);
    else if (node.op_type() == "Pow")
      values[i] = std::pow(x, y);
    else
      return out;
  }
  out.values = std::move(values);
  return out;
}

// The same shape and, for what moves numbers unchanged, the same values.
Guess same(const wire::NodeProto& node, const Inputs& inputs) {
  const Known* x = at(inputs, 0);
  if (x == nullptr) return std::nullopt;
  const bool moves = node.op_type() == "Identity" || node.op_type() == "Cast";
  return Known{.shape = x->shape, .values = moves ? x->values : std::nullopt};
}

Guess of_shape(const wire::NodeProto& /*node*/, const Inputs& inputs) {
  const auto* sizes = values_at(inputs, 0);
  if (sizes == nullptr || !is_shape(*sizes)) return std::nullopt;
  return Known{.shape = *sizes, .values = {}};
}

Guess expand(const wire::NodeProto& /*node*/, const Inputs& inputs) {
  const Known* x = at(inputs, 0);
  const auto* sizes = values_at(inputs, 1);
  if (sizes == nullptr || !is_shape(*sizes)) return std::nullopt;
  return broadcast(x == nullptr ? std::vector<double>{} : x->shape, *sizes);
}

Guess tile(const wire::NodeProto& /*node*/, const Inputs& inputs) {
  const Known* x = at(inputs, 0);
  const auto* repeats = values_at(inputs, 1);
  if (repeats == nullptr || !is_shape(*repeats)) return std::nullopt;
  Known out{.shape = *repeats, .values = {}};
  if (x != nullptr && x->shape.size() != out.shape.size()) return std::nullopt;
  for (size_t i = 0; x != nullptr && i < out.shape.size(); ++i) out.shape[i] *= x->shape[i];
  return out;
}

Guess pad(const wire::NodeProto& node, const Inputs& inputs) {
  const Known* x = at(inputs, 0);
  std::vector<double> pads;
  if (const auto* given = values_at(inputs, 1)) {
    pads = *given;
  } else if (const auto* attribute = find(node, "pads")) {
    pads.assign(attribute->ints().begin(), attribute->ints().end());
  }
  if (x == nullptr || pads.size() != 2 * x->shape.size()) return std::nullopt;
  Known out{.shape = x->shape, .values = {}};
  for (size_t i = 0; i < out.shape.size(); ++i) {
    out.shape[i] = std::max(0.0, out.shape[i] + pads[i] + pads[i + out.shape.size()]);
  }
  return out;
}

// Inputs: x, roi, scales, sizes (Resize 11+); x, scales (Upsample).
Guess resize(const wire::NodeProto& node, const Inputs& inputs) {
  const Known* x = at(inputs, 0);
  const bool upsample = node.op_type() == "Upsample";
  if (const auto* sizes = values_at(inputs, 3); !upsample && sizes != nullptr && is_shape(*sizes)) {
    return Known{.shape = *sizes, .values = {}};
  }
  const auto* scales = values_at(inputs, upsample ? 1 : 2);
  if (x == nullptr || scales == nullptr || scales->size() != x->shape.size()) return std::nullopt;
  Known out{.shape = x->shape, .values = {}};
  for (size_t i = 0; i < out.shape.size(); ++i) out.shape[i] = std::floor(std::max(0.0, out.shape[i] * (*scales)[i]));
  return out;
}

Guess range(const wire::NodeProto& /*node*/, const Inputs& inputs) {
  const auto* start = values_at(inputs, 0);
  const auto* limit = values_at(inputs, 1);
  const auto* delta = values_at(inputs, 2);
  if (start == nullptr || limit == nullptr || delta == nullptr) return std::nullopt;
  if (start->size() != 1 || limit->size() != 1 || delta->size() != 1 || delta->front() == 0.0) return std::nullopt;
  return Known{.shape = {std::max(0.0, std::ceil((limit->front() - start->front()) / delta->front()))}, .values = {}};
}

Guess one_hot(const wire::NodeProto& node, const Inputs& inputs) {
  const auto* depth = values_at(inputs, 1);
  if (depth == nullptr || depth->size() != 1) return std::nullopt;
  const Known* x = at(inputs, 0);
  Known out{.shape = x == nullptr ? std::vector<double>{} : x->shape, .values = {}};
  const auto axis = axis_of(attribute_int(node, "axis", -1), out.shape.size() + 1);
  if (!axis) return std::nullopt;
  out.shape.insert(out.shape.begin() + static_cast<std::ptrdiff_t>(*axis), std::max(0.0, depth->front()));
  return out;
}

Guess window(const wire::NodeProto& /*node*/, const Inputs& inputs) {
  const auto* size = values_at(inputs, 0);
  if (size == nullptr || size->size() != 1) return std::nullopt;
  return Known{.shape = {std::max(0.0, size->front())}, .values = {}};
}

Guess reshape(const wire::NodeProto& /*node*/, const Inputs& inputs) {
  const Known* x = at(inputs, 0);
  const auto* sizes = values_at(inputs, 1);
  if (x == nullptr || sizes == nullptr) return std::nullopt;
  Known out{.shape = *sizes, .values = x->values};
  std::optional<size_t> open;
  for (size_t i = 0; i < out.shape.size(); ++i) {
    if (out.shape[i] == 0.0 && i < x->shape.size()) out.shape[i] = x->shape[i];
    if (out.shape[i] != -1.0) continue;
    if (open) return std::nullopt;
    open = i;
    out.shape[i] = 1.0;
  }
  if (open && elements(out.shape) > 0) out.shape[*open] = std::floor(elements(x->shape) / elements(out.shape));
  return out;
}

Guess concat(const wire::NodeProto& node, const Inputs& inputs) {
  const Known* first = at(inputs, 0);
  if (first == nullptr) return std::nullopt;
  Known out{.shape = first->shape, .values = std::vector<double>{}};
  const auto axis = axis_of(attribute_int(node, "axis", 0), out.shape.size());
  if (!axis) return std::nullopt;
  out.shape[*axis] = 0.0;
  for (const Known* input : inputs) {
    if (input == nullptr || input->shape.size() != out.shape.size()) return std::nullopt;
    out.shape[*axis] += input->shape[*axis];
    if (out.values && input->values && out.shape.size() == 1 && out.values->size() < kMaxTrackedValues) {
      out.values->insert(out.values->end(), input->values->begin(), input->values->end());
    } else {
      out.values.reset();
    }
  }
  return out;
}

Guess matmul(const wire::NodeProto& /*node*/, const Inputs& inputs) {
  const Known* a = at(inputs, 0);
  const Known* b = at(inputs, 1);
  if (a == nullptr || b == nullptr || a->shape.size() < 2 || b->shape.size() < 2) return std::nullopt;
  Guess out = broadcast({a->shape.begin(), a->shape.end() - 2}, {b->shape.begin(), b->shape.end() - 2});
  if (!out) return std::nullopt;
  out->shape.push_back(a->shape[a->shape.size() - 2]);
  out->shape.push_back(b->shape.back());
  return out;
}

Guess gemm(const wire::NodeProto& node, const Inputs& inputs) {
  const Known* a = at(inputs, 0);
  const Known* b = at(inputs, 1);
  if (a == nullptr || b == nullptr || a->shape.size() != 2 || b->shape.size() != 2) return std::nullopt;
  return Known{.shape = {a->shape[attribute_int(node, "transA", 0) != 0 ? 1 : 0],
                         b->shape[attribute_int(node, "transB", 0) != 0 ? 0 : 1]},
               .values = {}};
}

Guess transpose(const wire::NodeProto& node, const Inputs& inputs) {
  const Known* x = at(inputs, 0);
  if (x == nullptr) return std::nullopt;
  Known out{.shape = x->shape, .values = {}};
  const auto* order = find(node, "perm");
  if (order == nullptr) {
    std::ranges::reverse(out.shape);
    return out;
  }
  if (static_cast<size_t>(order->ints_size()) != out.shape.size()) return std::nullopt;
  for (size_t i = 0; i < out.shape.size(); ++i) {
    const auto from = axis_of(order->ints(static_cast<int>(i)), out.shape.size());
    if (!from) return std::nullopt;
    out.shape[i] = x->shape[*from];
  }
  return out;
}

// One axis or several from the input or, before opset 13, the attribute.
Guess unsqueeze(const wire::NodeProto& node, const Inputs& inputs) {
  const Known* x = at(inputs, 0);
  std::vector<double> axes;
  if (const auto* given = values_at(inputs, 1)) {
    axes = *given;
  } else if (const auto* attribute = find(node, "axes")) {
    axes.assign(attribute->ints().begin(), attribute->ints().end());
  }
  if (x == nullptr || axes.empty() || axes.size() > kMaxTrackedValues) return std::nullopt;
  // A hostile file may give axes that are no numbers; those cannot even be sorted.
  if (std::ranges::any_of(axes, [](double axis) { return !std::isfinite(axis); })) return std::nullopt;
  Known out = *x;
  const size_t rank = out.shape.size() + axes.size();
  for (double& axis : axes) axis += axis < 0 ? static_cast<double>(rank) : 0.0;
  std::ranges::sort(axes);
  for (const double axis : axes) {
    if (axis < 0 || axis > static_cast<double>(out.shape.size())) return std::nullopt;
    out.shape.insert(out.shape.begin() + static_cast<std::ptrdiff_t>(axis), 1.0);
  }
  return out;
}

Guess gather(const wire::NodeProto& node, const Inputs& inputs) {
  const Known* data = at(inputs, 0);
  const Known* indices = at(inputs, 1);
  if (data == nullptr || indices == nullptr) return std::nullopt;
  const auto axis = axis_of(attribute_int(node, "axis", 0), data->shape.size());
  if (!axis) return std::nullopt;
  const auto cut = data->shape.begin() + static_cast<std::ptrdiff_t>(*axis);
  Known out{.shape = {data->shape.begin(), cut}, .values = {}};
  out.shape.insert(out.shape.end(), indices->shape.begin(), indices->shape.end());
  out.shape.insert(out.shape.end(), cut + 1, data->shape.end());
  if (!data->values || !indices->values || data->shape.size() != 1) return out;
  std::vector<double> picked;
  for (double index : *indices->values) {
    if (index < 0) index += static_cast<double>(data->values->size());
    if (!(index >= 0 && index < static_cast<double>(data->values->size()))) return out;
    picked.push_back((*data->values)[static_cast<size_t>(index)]);
  }
  out.values = std::move(picked);
  return out;
}

Guess shape(const wire::NodeProto& node, const Inputs& inputs) {
  const Known* x = at(inputs, 0);
  if (x == nullptr || find(node, "start") != nullptr || find(node, "end") != nullptr) return std::nullopt;
  return Known{.shape = {static_cast<double>(x->shape.size())}, .values = x->shape};
}

Guess constant(const wire::NodeProto& node, const Inputs& /*inputs*/) {
  if (const auto* value = find(node, "value"); value != nullptr && value->has_t()) return known_tensor(value->t());
  if (const auto* value = find(node, "value_int")) {
    return Known{.shape = {}, .values = std::vector{static_cast<double>(value->i())}};
  }
  if (const auto* value = find(node, "value_float")) {
    return Known{.shape = {}, .values = std::vector{static_cast<double>(value->f())}};
  }
  const auto* value = find(node, "value_ints");
  if (value == nullptr || static_cast<size_t>(value->ints_size()) > kMaxTrackedValues) return std::nullopt;
  return Known{.shape = {static_cast<double>(value->ints_size())},
               .values = std::vector<double>(value->ints().begin(), value->ints().end())};
}

const std::unordered_map<std::string_view, Rule>& rules() {
  static const std::unordered_map<std::string_view, Rule> table = [] {
    std::unordered_map<std::string_view, Rule> made = {{"ConstantOfShape", of_shape},
                                                       {"Expand", expand},
                                                       {"Tile", tile},
                                                       {"Pad", pad},
                                                       {"Resize", resize},
                                                       {"Upsample", resize},
                                                       {"Range", range},
                                                       {"OneHot", one_hot},
                                                       {"HannWindow", window},
                                                       {"HammingWindow", window},
                                                       {"BlackmanWindow", window},
                                                       {"Reshape", reshape},
                                                       {"Concat", concat},
                                                       {"MatMul", matmul},
                                                       {"Gemm", gemm},
                                                       {"Transpose", transpose},
                                                       {"Unsqueeze", unsqueeze},
                                                       {"Gather", gather},
                                                       {"Shape", shape},
                                                       {"Constant", constant}};
    for (const char* op : {"Add",
                           "Sub",
                           "Mul",
                           "Div",
                           "Pow",
                           "And",
                           "Or",
                           "Xor",
                           "Equal",
                           "Greater",
                           "Less",
                           "Where",
                           "GreaterOrEqual",
                           "LessOrEqual",
                           "Max",
                           "Min",
                           "Mean",
                           "Sum",
                           "Mod",
                           "BitShift"}) {
      made.emplace(op, elementwise);
    }
    for (const char* op : {"Identity", "Cast",       "Relu",      "Sigmoid", "Tanh",   "Abs",        "Neg", "Exp",
                           "Log",      "Sqrt",       "Floor",     "Ceil",    "Round",  "Sign",       "Not", "Erf",
                           "Softmax",  "LogSoftmax", "LeakyRelu", "Elu",     "Clip",   "Reciprocal", "Sin", "Cos",
                           "Softplus", "EyeLike",    "CumSum",    "Trilu",   "Dropout"}) {
      made.emplace(op, same);
    }
    return made;
  }();
  return table;
}

}  // namespace

std::optional<Known> infer(const wire::NodeProto& node, const std::vector<const Known*>& inputs) {
  if (!node.domain().empty() && node.domain() != "ai.onnx") return std::nullopt;
  const auto rule = rules().find(node.op_type());
  if (rule == rules().end()) return std::nullopt;
  Guess out = rule->second(node, inputs);
  if (out && out->values && out->values->size() > kMaxTrackedValues) out->values.reset();
  return out;
}

}  // namespace millwright::onnx
