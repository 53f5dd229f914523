// SPDX-License-Identifier: Apache-2.0
// results --name screw|skab|cwru [--seed N] [--data FOLDER]
#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>

#include "results.h"

namespace {

// --data, else $MILLWRIGHT_DATA, else ../shared/data.
std::filesystem::path data_folder(const std::string& stated) {
  if (!stated.empty()) return stated;
  if (const char* from_environment = std::getenv("MILLWRIGHT_DATA")) return from_environment;
  return std::filesystem::path("..") / "shared" / "data";
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Reproduces the figures of docs/results.md on real data");
  std::string name;
  std::string data;
  millwright::results::Options options;
  app.add_option("--name", name, "which data set")->required()->check(CLI::IsMember({"screw", "skab", "cwru"}));
  app.add_option("--seed", options.seed, "of splits, noise and resampling");
  app.add_option("--data", data, "folder of the data sets (default: $MILLWRIGHT_DATA, else ../shared/data)");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? 0 : 2;
  }
  options.data = data_folder(data);
  if (!std::filesystem::exists(options.data)) {
    fmt::print(stderr, "results: SKIPPED: {} is not there; state --data or MILLWRIGHT_DATA\n", options.data.string());
    return 3;
  }
  const millwright::Status done = name == "screw"  ? millwright::results::screw(options)
                                  : name == "skab" ? millwright::results::skab(options)
                                                   : millwright::results::cwru(options);
  if (done) return 0;
  fmt::print(stderr, "results: {}\n", done.error().message);
  return millwright::exit_status(done.error().code);
}
