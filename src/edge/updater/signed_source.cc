// SPDX-License-Identifier: Apache-2.0
#include "edge/updater/signed_source.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include <nlohmann/json.hpp>

#include "base/descriptor.h"
#include "base/files.h"
#include "edge/updater/folder_fetcher.h"
#include "edge/updater/model_store.h"
#include "model/json_fields.h"
#include "net/fetch/tuf_fetcher.h"

namespace millwright::edge {
namespace {

constexpr int64_t kNanosPerSecond = 1'000'000'000;
constexpr uint64_t kMostRootBytes = 512'000;

bool nobody_wants_it(int cancel_fd) {
  pollfd fd{.fd = cancel_fd, .events = POLLIN, .revents = 0};
  return cancel_fd >= 0 && ::poll(&fd, 1, 0) > 0;
}

Result<InstalledModel> model_of(const net::tuf::TrustedTarget& target) {
  const std::string& custom = target.file.custom;
  const auto said = model::parse_json(custom.empty() ? "{}" : custom);
  const bool has_release = said && said->is_object() && said->contains("release");
  if (!has_release) {
    return fail(ErrorCode::kInvalidInput, "target '{}': its custom part states no \"release\"; publish it with one",
                target.name);
  }
  if (target.file.hashes.sha256.empty()) {
    return fail(ErrorCode::kInvalidInput, "target '{}': signed without a SHA-256; publish it with one", target.name);
  }
  if (target.file.length > kMostBundleBytes) {
    return fail(ErrorCode::kTooLarge, "target '{}': {} bytes; at most {} are taken", target.name, target.file.length,
                kMostBundleBytes);
  }
  return InstalledModel{.digest = MW_TRY(Digest::from_hex(target.file.hashes.sha256)),
                        .target = target.name,
                        .bytes = target.file.length,
                        .order = MW_TRY(model::count_at(*said, "release"))};
}

}  // namespace

SignedSource::SignedSource(std::filesystem::path root, std::filesystem::path trusted,
                           std::unique_ptr<net::tuf::Fetcher> fetcher, const Clock& clock)
    : root_(std::move(root)),
      trusted_(std::move(trusted)),
      store_(trusted_),
      fetcher_(std::move(fetcher)),
      client_(store_, *fetcher_),
      clock_(clock) {}

// The file of the configuration counts once: from then on roots come by the chain.
Status SignedSource::trust_root() {
  const auto trusted = store_.read(net::tuf::metadata_file("root"), kMostRootBytes);
  if (trusted) return {};
  if (trusted.error().code != ErrorCode::kNotFound) return std::unexpected(trusted.error());
  std::error_code error;
  std::filesystem::create_directories(trusted_, error);
  if (error) return fail(ErrorCode::kIo, "{}: cannot create: {}", trusted_.string(), error.message());
  return net::tuf::Client::init(store_, MW_TRY_IN("updates: root", read_text_file(root_, kMostRootBytes)));
}

Result<std::vector<std::optional<InstalledModel>>> SignedSource::look(std::span<const std::string> targets,
                                                                      int cancel_fd) {
  MW_CHECK_OK(trust_root());
  MW_CHECK_OK(client_.refresh(clock_.wall_ns() / kNanosPerSecond));
  std::vector<std::optional<InstalledModel>> models;
  models.reserve(targets.size());
  for (const std::string& name : targets) {
    if (nobody_wants_it(cancel_fd)) return fail(ErrorCode::kCancelled, "nobody wants to know any more");
    const auto target = client_.find(name);
    if (target) {
      models.emplace_back(MW_TRY(model_of(*target)));
    } else if (target.error().code == ErrorCode::kNotFound) {
      models.emplace_back();
    } else {
      return std::unexpected(target.error());
    }
  }
  return models;
}

Status SignedSource::fetch(const InstalledModel& model, const std::filesystem::path& part, int cancel_fd) {
  // A process that was started in the middle has no metadata in memory yet.
  const auto known = client_.versions().timestamp > 0 ? Status() : [&]() -> Status {
    MW_CHECK_OK(trust_root());
    return client_.refresh(clock_.wall_ns() / kNanosPerSecond);
  }();
  MW_CHECK_OK(known);
  const net::tuf::TrustedTarget target = MW_TRY(client_.find(model.target));
  if (target.file.hashes.sha256 != model.digest.hex()) {
    return fail(ErrorCode::kNotFound, "target '{}': there is a newer one", model.target);
  }
  const Descriptor file(::open(part.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0640));
  if (!file.valid()) return fail(ErrorCode::kIo, "{}: cannot create: {}", part.string(), std::strerror(errno));
  return fetcher_->target(target.remote_path, model.bytes, [&](std::span<const std::byte> piece) -> Status {
    if (nobody_wants_it(cancel_fd)) return fail(ErrorCode::kCancelled, "nobody wants it any more");
    while (!piece.empty()) {
      const ssize_t n = ::write(file.get(), piece.data(), piece.size());
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) {
        return fail(errno == ENOSPC ? ErrorCode::kTooLarge : ErrorCode::kIo, "{}: cannot write: {}", part.string(),
                    std::strerror(errno));
      }
      piece = piece.subspan(static_cast<size_t>(n));
    }
    return {};
  });
}

std::unique_ptr<net::tuf::Fetcher> fetcher_for(const UpdatesConfig& updates) {
  const bool from_server = updates.metadata_url.starts_with("https://");
  if (!from_server) return std::make_unique<FolderFetcher>(updates.metadata_url, updates.targets_url);
  return std::make_unique<net::fetch::TufFetcher>(
      net::fetch::HttpOptions{
          .ca_file = updates.ca_file, .certificate_file = updates.certificate_file, .key_file = updates.key_file},
      updates.metadata_url, updates.targets_url);
}

}  // namespace millwright::edge
