// SPDX-License-Identifier: Apache-2.0
// Mutated models through the reader and the graph editor, each batch in a process of its own, so that a crash, a check
// that fails, a sanitizer's report or a model that never ends is counted and named, and the rest goes on. First a
// reader that crashes on purpose must be noticed. One JSON line at the end; status 0: no failure.
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "base/check.h"
#include "base/files.h"
#include "models/mutation.h"
#include "models/random_model.h"
#include "onnx/graph.h"
#include "onnx/model.h"
#include "onnx/raise_opset.h"

namespace {

using millwright::Bytes;
using millwright::Random;
using Target = void (*)(const Bytes&);

constexpr uint64_t kMaxModelBytes = 64ULL << 20;
constexpr uint64_t kGenerated = 50;
constexpr unsigned kMostSeconds = 30;  // for one mutant, under a sanitizer too
constexpr uint64_t kMostFailures = 20;
constexpr uint64_t kControlMutants = 200;

struct Options {
  uint64_t count = 10'000;
  uint64_t seed = 1;
  std::vector<std::filesystem::path> folders;
  std::filesystem::path save;
};

// What processes tell each other.
struct Shared {
  std::atomic<uint64_t> at{0};  // the mutant being tried
  std::atomic<uint64_t> read{0};
  std::atomic<uint64_t> edited{0};
  std::atomic<uint64_t> refused{0};
};

Shared& shared() {
  static auto* memory =
      static_cast<Shared*>(::mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  MW_CHECK(memory != MAP_FAILED, "a page for counters");
  return *memory;
}

void expect_one_line(const millwright::Error& error) {
  MW_CHECK(error.message.find('\n') == std::string::npos && !error.message.empty(), "an error is one line");
}

// Everything that an editor does, on a graph that was accepted.
void edit(const Bytes& bytes) {
  auto graph = millwright::onnx::Graph::parse(bytes);
  MW_CHECK(graph.has_value(), "what the reader takes, the editor takes");
  const auto copy = graph->copy();
  const millwright::onnx::Wiring wiring(*graph);
  for (const auto& node : graph->nodes) {
    for (const auto& output : node.outputs) {
      static_cast<void>(wiring.maker(output));
      static_cast<void>(wiring.readers(output));
      static_cast<void>(graph->value(output));
    }
  }
  static_cast<void>(graph->fresh_name(graph->nodes.empty() ? "x" : graph->nodes.front().name));
  static_cast<void>(graph->serialize_open());
  const auto same = copy.serialize();
  MW_CHECK(same.has_value(), "what was read can be written");
  const auto again = millwright::onnx::Graph::parse(*same);
  MW_CHECK(again.has_value() || again.error().code == millwright::ErrorCode::kTooLarge, "what was written can be read");
  if (const auto raised = millwright::onnx::raise_opset(*graph); !raised) expect_one_line(raised.error());
  remove_unused(*graph);
  graph->drop_unused_domains();
  if (const auto written = graph->serialize(); !written) expect_one_line(written.error());
  ++shared().edited;
}

void read_and_edit(const Bytes& bytes) {
  const auto model = millwright::onnx::Model::parse(bytes);
  if (!model) {
    expect_one_line(model.error());
    ++shared().refused;
    return;
  }
  static_cast<void>(model->summary());
  ++shared().read;
  edit(bytes);
}

// The double: takes the file's word for where something lies, as a careless reader does.
void careless(const Bytes& bytes) {
  Bytes copy(bytes);
  const size_t place = copy.size() < 8 ? copy.size() : std::to_integer<size_t>(copy[7]) << 20U;
  volatile std::byte* at = copy.data();
  at[place] = at[place] ^ std::byte{1};
}

std::vector<Bytes> originals(const Options& options) {
  std::vector<Bytes> out;
  for (const auto& folder : options.folders) {
    std::vector<std::filesystem::path> files;
    if (std::filesystem::is_directory(folder)) {
      for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
        if (entry.path().extension() == ".onnx") files.push_back(entry.path());
      }
    } else {
      fmt::print(stderr, "{} is not there: its models are NOT tried\n", folder.string());
    }
    std::ranges::sort(files);
    for (const auto& file : files) {
      if (auto bytes = millwright::read_file(file, kMaxModelBytes)) out.push_back(*std::move(bytes));
    }
  }
  for (uint64_t seed = 1; seed <= kGenerated; ++seed) out.push_back(millwright::models::random_model(seed).bytes);
  return out;
}

// The same for the same seed and number, whatever ran before.
Bytes mutant_of(const std::vector<Bytes>& from, uint64_t seed, uint64_t number) {
  Random random(seed * 1'000'003 + number);
  const Bytes& original = from[random.below(from.size())];
  return millwright::models::mutant(original, from[random.below(from.size())], random);
}

struct Failure {
  uint64_t number = 0;
  std::string how;
};

std::vector<Failure> run(const std::vector<Bytes>& from, uint64_t seed, uint64_t count, Target target) {
  std::vector<Failure> failures;
  for (uint64_t next = 0; next < count && failures.size() < kMostFailures;) {
    const pid_t child = ::fork();
    MW_CHECK(child >= 0, "a process for a batch");
    if (child == 0) {
      for (uint64_t i = next; i < count; ++i) {
        shared().at = i;
        ::alarm(kMostSeconds);
        target(mutant_of(from, seed, i));
      }
      std::_Exit(0);
    }
    int status = 0;
    MW_CHECK(::waitpid(child, &status, 0) == child, "the batch ends");
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) break;
    failures.push_back({.number = shared().at,
                        .how = WIFSIGNALED(status) ? fmt::format("signal {}", WTERMSIG(status))
                                                   : fmt::format("status {}", WEXITSTATUS(status))});
    next = shared().at + 1;
  }
  return failures;
}

// Its own reports of crashes are expected, and would only frighten.
uint64_t run_control(const std::vector<Bytes>& from, uint64_t seed) {
  std::fflush(stderr);
  const int kept = ::dup(STDERR_FILENO);
  if (std::freopen("/dev/null", "w", stderr) == nullptr) return 0;
  const auto failures = run(from, seed, kControlMutants, careless);
  std::fflush(stderr);
  ::dup2(kept, STDERR_FILENO);
  ::close(kept);
  return failures.size();
}

int report(const Options& options, const std::vector<Bytes>& from, uint64_t control,
           const std::vector<Failure>& failures) {
  nlohmann::ordered_json line = {
      {"campaign", "mutated-models"},     {"mutants", options.count},           {"seed", options.seed},
      {"originals", from.size()},         {"refused", shared().refused.load()}, {"read", shared().read.load()},
      {"edited", shared().edited.load()}, {"failures", failures.size()},        {"control_failures", control},
      {"control_caught", control > 0}};
  for (const Failure& failure : failures) {
    line["failed"].push_back({{"mutant", failure.number}, {"how", failure.how}});
    if (options.save.empty()) continue;
    const auto file = options.save / fmt::format("mutant_{}_{}.onnx", options.seed, failure.number);
    if (const auto written = millwright::write_file_atomic(file, mutant_of(from, options.seed, failure.number));
        !written) {
      fmt::print(stderr, "{}\n", written.error().message);
    }
  }
  fmt::print("{}\n", line.dump());
  // A campaign whose mutants are all refused at the door has not seen the editor.
  const bool reached = shared().edited * 20 >= options.count;
  if (!reached) fmt::print(stderr, "fewer than one in twenty mutants reached the editor\n");
  return failures.empty() && control > 0 && reached ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"Mutated models through the reader and the graph editor."};
  Options options;
  const char* data = std::getenv("MILLWRIGHT_DATA");
  options.folders = {
      "/usr/share/libonnx-testdata/data",
      std::filesystem::path(data != nullptr ? data : MILLWRIGHT_SOURCE_DIR "/../shared/data") / "models"};
  app.add_option("--count", options.count, "mutants")->check(CLI::Range(1UL, 10'000'000UL));
  app.add_option("--seed", options.seed, "of the mutants");
  app.add_option("--originals", options.folders, "folders of .onnx files to damage, beside generated ones");
  app.add_option("--save", options.save, "a folder for mutants that failed");
  CLI11_PARSE(app, argc, argv);
  const auto from = originals(options);
  const uint64_t control = run_control(from, options.seed);
  return report(options, from, control, run(from, options.seed, options.count, read_and_edit));
}
