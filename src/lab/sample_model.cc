// SPDX-License-Identifier: Apache-2.0
#include "lab/sample_model.h"

#include <algorithm>

#include <fmt/ranges.h>

#include "base/check.h"

namespace millwright::lab {

Result<SampleModel> SampleModel::create(std::span<const std::byte> model, const recording::Dataset& samples) {
  auto session = MW_TRY(inference::Session::create(model, 1));
  const auto inputs = session.inputs();
  if (inputs.size() != 1) {
    return fail(ErrorCode::kInvalidInput, "the model has {} inputs; samples fill exactly one", inputs.size());
  }
  const auto& input = inputs.front();
  if (input.type != onnx::ElementType::kFloat) {
    return fail(ErrorCode::kUnsupported, "input '{}' is of {}; samples are floats", input.name, onnx::name(input.type));
  }
  std::vector<int64_t> wanted = input.shape;
  if (wanted.size() == samples.shape().size() + 1 && wanted.front() == 1) wanted.erase(wanted.begin());
  if (wanted != samples.shape()) {
    return fail(ErrorCode::kInvalidInput, "samples have the shape ({}), input '{}' wants ({}) for one",
                fmt::join(samples.shape(), ", "), input.name, fmt::join(wanted, ", "));
  }
  return SampleModel(std::move(session));
}

Status SampleModel::run(recording::Dataset& samples, size_t index) {
  MW_CHECK_OK(samples.read(index, session_.input_floats()));
  if (!session_.run()) return fail(ErrorCode::kInvalidInput, "sample {}: {}", index, session_.last_error());
  return {};
}

size_t SampleModel::output(std::string_view name) {
  const auto outputs = session_.outputs();
  const auto found = std::ranges::find(outputs, name, &inference::Session::Tensor::name);
  MW_CHECK(found != outputs.end(), "an output that was asked for");
  return static_cast<size_t>(found - outputs.begin());
}

}  // namespace millwright::lab
