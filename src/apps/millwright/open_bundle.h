// SPDX-License-Identifier: Apache-2.0
// A bundle from a file, tried in a child process before this one runs its model.
#pragma once

#include <filesystem>

#include "inference/trial.h"
#include "model/bundle.h"

namespace millwright::apps {

inline Result<model::LoadedBundle> open_bundle(const std::filesystem::path& path) {
  model::LoadedBundle loaded = MW_TRY(model::load_bundle(path));
  (void)MW_TRY_IN(path.string(), inference::try_bundle(loaded.bundle));
  return loaded;
}

}  // namespace millwright::apps
