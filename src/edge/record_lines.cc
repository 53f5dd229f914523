// SPDX-License-Identifier: Apache-2.0
#include "edge/record_lines.h"

#include <algorithm>

namespace millwright::edge {

void RecordLines::add_model(const Digest& digest, std::vector<std::string> feature_names) {
  const std::lock_guard lock(mutex_);
  std::erase_if(models_, [&](const auto& known) { return known.first == digest; });
  if (models_.size() == kModels) models_.erase(models_.begin());
  models_.emplace_back(digest, std::move(feature_names));
  named_ = Digest{};
}

void RecordLines::append(std::string& text, const model::StrokeRecord& record) {
  const std::lock_guard lock(mutex_);
  model::StrokeRecord shown = record;
  if (record.model != named_ && record.top.count > 0) {
    const auto known =
        std::find_if(models_.begin(), models_.end(), [&](const auto& entry) { return entry.first == record.model; });
    if (known == models_.end()) {
      shown.top.count = 0;
    } else {
      context_.feature_names = known->second;
      named_ = record.model;
    }
  }
  text += model::to_json_line(shown, context_);
  text += '\n';
}

}  // namespace millwright::edge
