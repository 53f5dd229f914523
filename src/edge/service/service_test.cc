// SPDX-License-Identifier: Apache-2.0
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <cstdlib>
#include <cstring>

#include <gtest/gtest.h>

#include "base/temporary_folder.h"
#include "edge/service/loop_watchdog.h"
#include "edge/service/notify_socket.h"
#include "edge/stroke_loop_fixture.h"

namespace millwright::edge {
namespace {

constexpr int64_t kSecond = 1'000'000'000;

// The manager's end: a real datagram socket.
class Manager {
 public:
  // A path, or a name behind '@'.
  explicit Manager(const std::string& name) : socket_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0)) {
    sockaddr_un at{};
    at.sun_family = AF_UNIX;
    std::memcpy(at.sun_path, name.data(), name.size());
    if (name[0] == '@') at.sun_path[0] = '\0';
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
    EXPECT_EQ(::bind(socket_.get(), reinterpret_cast<sockaddr*>(&at), size), 0);
  }
  // The next datagram; empty: there is none.
  std::string next() {
    std::array<char, 512> bytes{};
    const ssize_t n = ::recv(socket_.get(), bytes.data(), bytes.size(), 0);
    return n > 0 ? std::string(bytes.data(), static_cast<size_t>(n)) : std::string();
  }
  size_t beats() {
    size_t found = 0;
    for (std::string text = next(); !text.empty(); text = next()) found += text == "WATCHDOG=1" ? 1 : 0;
    return found;
  }

 private:
  Descriptor socket_;
};

std::string abstract_name() { return "@millwright-test-" + std::to_string(::getpid()); }

TEST(NotifySocket, ReachesAPathAndAnAbstractName) {
  const TemporaryFolder folder;
  for (const std::string& name : {(folder.path() / "notify").string(), abstract_name()}) {
    Manager manager(name);
    EXPECT_TRUE(NotifySocket(name).tell("READY=1\nSTATUS=good"));
    EXPECT_EQ(manager.next(), "READY=1\nSTATUS=good");
  }
}

TEST(NotifySocket, TellsNobodyWhereThereIsNobody) {
  for (const std::string& name : {std::string(), std::string("@"), std::string("relative"), std::string(200, '/')}) {
    const NotifySocket socket(name);
    EXPECT_FALSE(socket.anybody()) << name;
    EXPECT_FALSE(socket.tell("READY=1"));
  }
  EXPECT_FALSE(NotifySocket("/no/such/socket").tell("READY=1"));
}

TEST(NotifySocket, NeverWaitsForAManagerThatDoesNotRead) {
  Manager manager(abstract_name());
  const NotifySocket socket(abstract_name());
  int sent = 0;
  while (sent < 100'000 && socket.tell("WATCHDOG=1")) ++sent;
  EXPECT_LT(sent, 100'000) << "its queue is full, and we are still here";
}

TEST(ServiceEnvironment, IsTakenOnceAndOnlyByTheProcessThatItIsFor) {
  ::setenv("NOTIFY_SOCKET", "@x", 1);
  ::setenv("WATCHDOG_USEC", "10000000", 1);
  ::setenv("WATCHDOG_PID", std::to_string(::getpid()).c_str(), 1);
  const ServiceEnvironment ours = take_service_environment();
  EXPECT_EQ(ours.notify_socket, "@x");
  EXPECT_EQ(ours.watchdog_ns, 10 * kSecond);
  EXPECT_EQ(std::getenv("NOTIFY_SOCKET"), nullptr) << "no child may speak for the service";
  EXPECT_EQ(take_service_environment().notify_socket, "");
  ::setenv("WATCHDOG_USEC", "10000000", 1);
  ::setenv("WATCHDOG_PID", "1", 1);
  EXPECT_EQ(take_service_environment().watchdog_ns, 0) << "meant for another";
  for (const char* wrong : {"", "-1", "0", "soon", "99999999999999999"}) {
    ::setenv("WATCHDOG_USEC", wrong, 1);
    EXPECT_EQ(take_service_environment().watchdog_ns, 0) << wrong;
  }
}

class Watchdog : public testing::Test {
 protected:
  // Pulses of `loops` every 100 ms; how many beats the manager heard.
  size_t beats(LoopWatchdog& watchdog, std::initializer_list<size_t> loops, int64_t from_s, int64_t to_s) {
    size_t heard = 0;
    for (int64_t now = from_s * kSecond; now < to_s * kSecond; now += kSecond / 10) {
      for (const size_t loop : loops) watchdog.of(loop).pulse(now);
      heard += manager_.beats();
    }
    return heard;
  }

  Manager manager_{abstract_name()};
  NotifySocket socket_{abstract_name()};
};

TEST_F(Watchdog, BeatsFourTimesInItsTimeWhileEveryLoopComesRound) {
  LoopWatchdog watchdog(3, socket_, 10 * kSecond);
  EXPECT_EQ(beats(watchdog, {0, 1, 2}, 1, 101), 40U);
}

TEST_F(Watchdog, IsSilentFromTheMomentOneLoopHangs) {
  LoopWatchdog watchdog(3, socket_, 10 * kSecond);
  EXPECT_EQ(beats(watchdog, {0, 1, 2}, 1, 51), 20U);
  EXPECT_LE(beats(watchdog, {0, 2}, 51, 101), 1U) << "at most for the round in which it was still there";
  EXPECT_EQ(beats(watchdog, {0, 1, 2}, 101, 111), 4U) << "it lives again";
}

TEST_F(Watchdog, ExpectsNothingOfALoopWhoseSourceHasEnded) {
  LoopWatchdog watchdog(2, socket_, 10 * kSecond);
  watchdog.release(1);
  EXPECT_EQ(beats(watchdog, {0}, 1, 11), 4U);
}

TEST_F(Watchdog, SendsNothingWhereNobodyAskedForIt) {
  LoopWatchdog watchdog(1, socket_, 0);
  EXPECT_EQ(beats(watchdog, {0}, 1, 11), 0U);
}

class LoopPulse : public StrokeLoopTest {
 protected:
  struct Pulses final : PulseListener {
    void pulse(int64_t now_ns) noexcept override { times.push_back(now_ns); }
    std::vector<int64_t> times;
  };
};

TEST_F(LoopPulse, ComesWithTheLoopAndStopsWhileAModelDoesNotReturn) {
  Pulses pulses;
  pulse_ = &pulses;
  source_.add({.passes_ns = 1'000 * kMs});
  auto slow = window(0.5F);
  slow[kFakeMs] = 5'000.0F;
  play(slow, 1);
  source_.add({.passes_ns = 1'000 * kMs});
  run();
  int64_t longest = 0;
  for (size_t i = 1; i < pulses.times.size(); ++i) longest = std::max(longest, pulses.times[i] - pulses.times[i - 1]);
  EXPECT_GE(pulses.times.size(), 18U);
  EXPECT_GE(longest, 5'000 * kMs);
}

}  // namespace
}  // namespace millwright::edge
