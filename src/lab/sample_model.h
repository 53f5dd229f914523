// SPDX-License-Identifier: Apache-2.0
// A model of one input that is fed with a dataset's samples, one at a time.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "inference/session.h"
#include "recording/dataset.h"

namespace millwright::lab {

class SampleModel {
 public:
  // kInvalidInput: more inputs than one, or samples of another shape than the input's; kUnsupported: not of floats.
  // Else as Session::create.
  static Result<SampleModel> create(std::span<const std::byte> model, const recording::Dataset& samples);

  // Reads sample `index` and runs it; its results are in the session's outputs.
  Status run(recording::Dataset& samples, size_t index);

  [[nodiscard]] inference::Session& session() { return session_; }
  // The index of the output of this name; a bug where there is none.
  [[nodiscard]] size_t output(std::string_view name);

 private:
  explicit SampleModel(inference::Session session) : session_(std::move(session)) {}
  inference::Session session_;
};

}  // namespace millwright::lab
