// SPDX-License-Identifier: Apache-2.0
#include "onnx/wire_values.h"

#include "base/check.h"
#include "onnx/types.h"

namespace millwright::onnx {

void set_value_info(wire::ValueInfoProto& out, const ValueInfo& value) {
  out.set_name(value.name);
  auto* tensor = out.mutable_type()->mutable_tensor_type();
  tensor->set_elem_type(data_type(value.type));
  auto* dims = tensor->mutable_shape();  // present even where the rank is 0
  for (const Dim& dim : value.shape) {
    auto* size = dims->add_dim();
    if (dim.size >= 0) {
      size->set_dim_value(dim.size);
    } else if (!dim.name.empty()) {
      size->set_dim_param(dim.name);
    }
  }
}

ValueInfo value_info(const wire::ValueInfoProto& info) {
  ValueInfo out{.name = info.name(), .type = ElementType::kFloat, .shape = {}};
  const auto& tensor = info.type().tensor_type();
  out.type = element_type_from(tensor.elem_type()).value_or(ElementType::kFloat);
  for (const auto& dim : tensor.shape().dim()) {
    if (dim.has_dim_value() && dim.dim_value() >= 0) {
      out.shape.emplace_back(dim.dim_value());
    } else {
      out.shape.emplace_back(dim.dim_param());
    }
  }
  return out;
}

void set_attribute(wire::AttributeProto& out, const Attribute& in) {
  using Kind = Attribute::Kind;
  if (in.kind == Kind::kOther) {
    MW_CHECK(out.ParseFromString(in.s), "what was read once can be read again");
    return;
  }
  out.set_name(in.name);
  switch (in.kind) {
    case Kind::kInt:
      out.set_type(wire::AttributeProto::INT);
      out.set_i(in.i);
      break;
    case Kind::kFloat:
      out.set_type(wire::AttributeProto::FLOAT);
      out.set_f(in.f);
      break;
    case Kind::kString:
      out.set_type(wire::AttributeProto::STRING);
      out.set_s(in.s);
      break;
    case Kind::kInts:
      out.set_type(wire::AttributeProto::INTS);
      out.mutable_ints()->Add(in.ints.begin(), in.ints.end());
      break;
    case Kind::kFloats:
      out.set_type(wire::AttributeProto::FLOATS);
      out.mutable_floats()->Add(in.floats.begin(), in.floats.end());
      break;
    case Kind::kStrings:
      out.set_type(wire::AttributeProto::STRINGS);
      for (const std::string& text : in.strings) out.add_strings(text);
      break;
    case Kind::kOther: break;
  }
}

Attribute attribute_from(const wire::AttributeProto& in) {
  using Kind = Attribute::Kind;
  Attribute out;
  out.name = in.name();
  switch (in.type()) {
    case wire::AttributeProto::INT:
      out.kind = Kind::kInt;
      out.i = in.i();
      break;
    case wire::AttributeProto::FLOAT:
      out.kind = Kind::kFloat;
      out.f = in.f();
      break;
    case wire::AttributeProto::STRING:
      out.kind = Kind::kString;
      out.s = in.s();
      break;
    case wire::AttributeProto::INTS:
      out.kind = Kind::kInts;
      out.ints.assign(in.ints().begin(), in.ints().end());
      break;
    case wire::AttributeProto::FLOATS:
      out.kind = Kind::kFloats;
      out.floats.assign(in.floats().begin(), in.floats().end());
      break;
    case wire::AttributeProto::STRINGS:
      out.kind = Kind::kStrings;
      out.strings.assign(in.strings().begin(), in.strings().end());
      break;
    default:
      out.kind = Kind::kOther;
      out.s = in.SerializeAsString();
      break;
  }
  return out;
}

}  // namespace millwright::onnx
