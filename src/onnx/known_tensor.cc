// SPDX-License-Identifier: Apache-2.0
#include <cstring>
#include <string>

#include "onnx/size_rules.h"

namespace millwright::onnx {
namespace {

template <typename T>
void read_raw(const std::string& raw, std::vector<double>& out) {
  for (size_t i = 0; i + sizeof(T) <= raw.size(); i += sizeof(T)) {
    T value{};
    std::memcpy(&value, raw.data() + i, sizeof value);
    out.push_back(static_cast<double>(value));
  }
}

}  // namespace

double elements(const std::vector<double>& shape) {
  double product = 1.0;
  for (const double size : shape) product *= size;
  return product;
}

Known known_tensor(const wire::TensorProto& tensor) {
  Known out{.shape = {tensor.dims().begin(), tensor.dims().end()}, .values = {}};
  if (elements(out.shape) > static_cast<double>(kMaxTrackedValues)) return out;
  std::vector<double> values;
  switch (tensor.data_type()) {
    case wire::TensorProto::INT64:
      read_raw<int64_t>(tensor.raw_data(), values);
      values.insert(values.end(), tensor.int64_data().begin(), tensor.int64_data().end());
      break;
    case wire::TensorProto::INT32:
      read_raw<int32_t>(tensor.raw_data(), values);
      values.insert(values.end(), tensor.int32_data().begin(), tensor.int32_data().end());
      break;
    case wire::TensorProto::FLOAT:
      read_raw<float>(tensor.raw_data(), values);
      values.insert(values.end(), tensor.float_data().begin(), tensor.float_data().end());
      break;
    default: return out;
  }
  out.values = std::move(values);
  return out;
}

}  // namespace millwright::onnx
