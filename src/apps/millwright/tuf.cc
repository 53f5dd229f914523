// SPDX-License-Identifier: Apache-2.0
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "apps/millwright/command.h"
#include "base/clock.h"
#include "base/files.h"
#include "net/fetch/tuf_fetcher.h"
#include "net/tuf/client.h"
#include "net/tuf/download.h"

namespace millwright::apps {
namespace {

using net::fetch::TufFetcher;

struct Options {
  std::filesystem::path metadata_dir;
  std::filesystem::path target_dir;
  std::filesystem::path root;
  std::filesystem::path ca;
  std::string metadata_url;
  std::string target_base_url;
  std::vector<std::string> target_names;
  CLI::App* init = nullptr;
  CLI::App* download = nullptr;
};

Status init(const Options& options) {
  const std::string root = MW_TRY(read_text_file(options.root, net::tuf::Limits{}.root_bytes));
  std::error_code problem;
  std::filesystem::create_directories(options.metadata_dir, problem);
  if (problem) return fail(ErrorCode::kIo, "{}: {}", options.metadata_dir.string(), problem.message());
  net::tuf::FolderStore store(options.metadata_dir);
  return net::tuf::Client::init(store, root);
}

Status need(const std::string& value, const char* flag) {
  if (value.empty()) return fail(ErrorCode::kInvalidInput, "{} is missing", flag);
  return {};
}

Status download_one(const Options& options, net::tuf::Client& client, TufFetcher& fetcher, const std::string& name) {
  const auto target = MW_TRY(client.find(name));
  const auto file = MW_TRY(net::tuf::download(target, fetcher, options.target_dir));
  fmt::print("{}{}\n", file.path.string(), file.was_there ? " (was there)" : "");
  return {};
}

// Each target on its own: one that fails does not keep the others back.
Status download(const Options& options, net::tuf::Client& client, TufFetcher& fetcher) {
  std::error_code problem;
  std::filesystem::create_directories(options.target_dir, problem);
  if (problem) return fail(ErrorCode::kIo, "{}: {}", options.target_dir.string(), problem.message());
  Status all;
  for (const std::string& name : options.target_names) {
    const Status one = download_one(options, client, fetcher, name);
    if (one) continue;
    if (!all) fmt::print(stderr, "millwright: {}\n", all.error().message);
    all = one;
  }
  return all;
}

Status update(const Options& options) {
  MW_CHECK_OK(need(options.metadata_url, "--metadata-url"));
  const bool wants_targets = options.download->parsed();
  if (wants_targets) {
    MW_CHECK_OK(need(options.target_base_url, "--target-base-url"));
    MW_CHECK_OK(need(options.target_dir.string(), "--target-dir"));
    if (options.target_names.empty()) return fail(ErrorCode::kInvalidInput, "--target-name is missing");
  }
  net::tuf::FolderStore store(options.metadata_dir);
  TufFetcher fetcher({.ca_file = options.ca}, options.metadata_url, options.target_base_url);
  net::tuf::Client client(store, fetcher);
  MW_CHECK_OK(client.refresh(SystemClock().wall_ns() / 1'000'000'000));
  if (wants_targets) return download(options, client, fetcher);
  const net::tuf::Versions now = client.versions();
  fmt::print("root {}, timestamp {}, snapshot {}, targets {}\n", now.root, now.timestamp, now.snapshot, now.targets);
  return {};
}

// This command's exit is 0 or 1, whatever the trouble: it is what suites for TUF clients look at.
Result<int> run(const Options& options) {
  const Status status = options.init->parsed() ? init(options) : update(options);
  if (status) return 0;
  std::string words = status.error().message;
  for (char& c : words) {
    if (c == '\n' || c == '\r') c = ' ';
  }
  fmt::print(stderr, "millwright: {}\n", words);
  return 1;
}

}  // namespace

Command tuf_command(CLI::App& program) {
  auto options = std::make_shared<Options>();
  CLI::App* app =
      program.add_subcommand("tuf",
                             "the updates' TUF client by hand (The Update Framework 1.0.x): init, refresh, download.\n"
                             "Time is the system's; HTTP without TLS goes to this machine only. Exit 0 done, 1 refused "
                             "or failed, with the reason.");
  app->add_option("--metadata-dir", options->metadata_dir,
                  "a folder: root.json and what else is trusted, byte for byte")
      ->required();
  app->add_option("--metadata-url", options->metadata_url, "https address of the repository's metadata");
  app->add_option("--target-name", options->target_names, "of a target to download; may be given several times")
      ->expected(1)
      ->take_all();
  app->add_option("--target-base-url", options->target_base_url, "https address of the repository's targets");
  app->add_option("--target-dir", options->target_dir, "a folder for targets, named as they are, percent-encoded");
  app->add_option("--ca", options->ca, "PEM: who may vouch for the server; otherwise the system's");
  app->require_subcommand(1);
  options->init = app->add_subcommand("init", "trust this root.json from now on; it must have come by a safe way");
  options->init->add_option("root", options->root, "root.json")->required();
  app->add_subcommand("refresh", "bring root, timestamp, snapshot and targets up to date");
  options->download =
      app->add_subcommand("download", "refresh, then fetch targets that are not there with the right bytes");
  for (CLI::App* step : app->get_subcommands({})) step->fallthrough();
  return {app, [options] { return run(*options); }};
}

}  // namespace millwright::apps
