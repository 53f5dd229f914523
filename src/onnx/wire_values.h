// SPDX-License-Identifier: Apache-2.0
// Values and attributes as protobuf messages and back; only this room sees them.
#pragma once

#include <string>

#include "onnx/value.h"
#include "onnx/wire.pb.h"

namespace millwright::onnx {

void set_value_info(wire::ValueInfoProto& out, const ValueInfo& value);
// A type that ElementType does not have reads as float; a size that is not stated as a name, maybe an empty one.
ValueInfo value_info(const wire::ValueInfoProto& info);

void set_attribute(wire::AttributeProto& out, const Attribute& in);
Attribute attribute_from(const wire::AttributeProto& in);

}  // namespace millwright::onnx
