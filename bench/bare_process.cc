// SPDX-License-Identifier: Apache-2.0
// A process that holds a bundle's session and nothing else: what the agent's memory is measured against.
// usage: bare_process FILE.bundle; says "ready" once it has run the model, then sleeps until it is killed.
#include <unistd.h>

#include <cstdio>

#include "inference/bare_session.h"
#include "model/bundle.h"

int main(int argc, char** argv) {
  using namespace millwright;
  if (argc != 2) {
    fmt::print(stderr, "usage: {} FILE.bundle\n", argv[0]);
    return 2;
  }
  {
    const auto loaded = model::load_bundle(argv[1]);
    if (!loaded) {
      fmt::print(stderr, "bare_process: {}\n", loaded.error().message);
      return 2;
    }
    const auto features = static_cast<int64_t>(loaded->bundle.features.feature_count());
    static inference::BareSession session(loaded->bundle.model, "features", {1, features}, "score", {1});
    if (!session.run()) return 3;
  }
  std::puts("ready");
  std::fflush(stdout);
  ::pause();
}
