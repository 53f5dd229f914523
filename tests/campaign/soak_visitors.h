// SPDX-License-Identifier: Apache-2.0
// Who looks at a box over HTTP: a scraper, a page that stays open, and visitors who behave badly.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

#include "base/descriptor.h"

namespace millwright::campaign {

// The scraper reads /metrics `per_second` times a second, the page reads /events as fast as they come; both come back
// when they are sent away.
class Visitors {
 public:
  Visitors(uint16_t port, double per_second);
  ~Visitors();
  Visitors(const Visitors&) = delete;
  Visitors& operator=(const Visitors&) = delete;

  std::atomic<uint64_t> scrapes{0};
  std::atomic<uint64_t> scrapes_refused{0};
  std::atomic<uint64_t> strokes_missing{0};  // pages that said so: must stay 0
  std::atomic<uint64_t> events{0};
  std::atomic<uint64_t> page_connects{0};

 private:
  void scrape();
  void read_events();
  bool wait(double seconds) const;  // false: the end

  uint16_t port_;
  double per_second_;
  std::atomic<bool> stopped_{false};
  std::thread scraper_;
  std::thread page_;
};

// A connection to the port; invalid where it is refused. Reads give up after a second.
Descriptor connect_to(uint16_t port);
// Sends a GET and reads until the other side closes; empty where that fails.
std::string get(uint16_t port, const std::string& path);

// Connections that were opened to do harm, and that end with this.
class BadVisitors {
 public:
  // Asks for a page (or for events) and reads nothing of it; `text` as it stands.
  void send_and_hang(uint16_t port, const std::string& text, size_t count);

 private:
  std::vector<Descriptor> sockets_;
};

}  // namespace millwright::campaign
