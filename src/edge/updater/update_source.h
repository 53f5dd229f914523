// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "edge/updater/install_state.h"

namespace millwright::edge {

// Where signed models come from: a server, or a folder on a stick. Used on one thread, which it may keep waiting.
class UpdateSource {
 public:
  virtual ~UpdateSource() = default;

  // Asks for news and says for each name ("press7/jetson-orin-int8.bundle") which model the signed metadata give it;
  // nullopt: none. kUnavailable may pass; kRefused is an attack or an expiry, and names it. Ends soon after `cancel_fd`
  // becomes readable, with kCancelled.
  virtual Result<std::vector<std::optional<InstalledModel>>> look(std::span<const std::string> targets,
                                                                  int cancel_fd) = 0;
  // Brings the model's bytes into `part`, from where that ends on. What came stays for the next time; whoever asks
  // checks it against the digest. Errors as above, and kTooLarge where the disk is full.
  virtual Status fetch(const InstalledModel& model, const std::filesystem::path& part, int cancel_fd) = 0;
};

}  // namespace millwright::edge
