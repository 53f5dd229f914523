// SPDX-License-Identifier: Apache-2.0
// Turns records into lines. A record names its features by index, so each line needs the names of the very model that
// made it, even after another one took over.
#pragma once

#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "base/digest.h"
#include "model/stroke_record.h"

namespace millwright::edge {

// Safe from any thread.
class RecordLines {
 public:
  // `labels`: factory, line, asset, device, boot and channel names; its feature names are not used.
  explicit RecordLines(model::RecordContext labels) : context_(std::move(labels)) {}

  // From now on records of this model can be written with its feature names. The last kModels are remembered.
  void add_model(const Digest& digest, std::vector<std::string> feature_names);
  // The line with its newline. Features of a model that is not remembered are left out: a wrong name is worse.
  void append(std::string& text, const model::StrokeRecord& record);

  static constexpr size_t kModels = 8;

 private:
  std::mutex mutex_;
  model::RecordContext context_;
  Digest named_;  // whose feature names are in context_
  std::vector<std::pair<Digest, std::vector<std::string>>> models_;
};

}  // namespace millwright::edge
