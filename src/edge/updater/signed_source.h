// SPDX-License-Identifier: Apache-2.0
// Models as a TUF repository names them: a target "MODEL/PROFILE.bundle" whose "custom" says {"release": N}, a number
// that rises with each order, also with one that goes back to an older model.
#pragma once

#include <memory>

#include "base/clock.h"
#include "edge/config.h"
#include "edge/updater/update_source.h"
#include "net/tuf/client.h"

namespace millwright::edge {

class SignedSource final : public UpdateSource {
 public:
  // A repository behind `fetcher`; what it trusts lies in `trusted`, the root that the box was brought up with in
  // `root`, which is read as long as none is trusted. The clock outlives it.
  SignedSource(std::filesystem::path root, std::filesystem::path trusted, std::unique_ptr<net::tuf::Fetcher> fetcher,
               const Clock& clock);

  Result<std::vector<std::optional<InstalledModel>>> look(std::span<const std::string> targets, int cancel_fd) override;
  Status fetch(const InstalledModel& model, const std::filesystem::path& part, int cancel_fd) override;

 private:
  Status trust_root();

  const std::filesystem::path root_;
  const std::filesystem::path trusted_;
  net::tuf::FolderStore store_;
  std::unique_ptr<net::tuf::Fetcher> fetcher_;
  net::tuf::Client client_;
  const Clock& clock_;
};

// By HTTPS, or from folders of this box: as the section says.
std::unique_ptr<net::tuf::Fetcher> fetcher_for(const UpdatesConfig& updates);

}  // namespace millwright::edge
