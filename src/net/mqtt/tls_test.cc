// SPDX-License-Identifier: Apache-2.0
// Mutual TLS beside a real mosquitto with the configuration that we ship, and what is said when it fails.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "model/telemetry.h"
#include "net/mqtt/certificates_fixture.h"
#include "net/mqtt/fleet_subscriber.h"
#include "net/mqtt/hostile_broker_fixture.h"
#include "net/mqtt/tls_context.h"

namespace millwright::net::mqtt {
namespace {

std::string shipped(const std::string& name) {
  return *read_text_file(std::filesystem::path(MILLWRIGHT_SOURCE_DIR) / "deploy" / "mosquitto" / name, 1 << 20);
}

void replace_all(std::string& text, const std::string& from, const std::string& to) {
  for (size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) {
    text.replace(at, from.size(), to);
  }
}

// The shipped configuration, with this test's paths and port in place of those of a machine.
class ShippedBroker {
 public:
  explicit ShippedBroker(const std::string& certificate = "broker", const std::string& ca = "ca",
                         const std::string& rights = "") {
    certificates.make_ca("ca");
    certificates.make_ca("other-ca");
    certificates.make("broker", "broker", "ca", "DNS:localhost,IP:127.0.0.1");
    certificates.make("expired-broker", "broker", "ca", "DNS:localhost,IP:127.0.0.1", -1);
    certificates.make("misnamed-broker", "broker", "ca", "DNS:mqtt.elsewhere");
    certificates.make("hub", "millwright-hub", "ca");
    certificates.make("box-7", "box-7", "ca");
    certificates.make("box-8", "box-8", "ca");
    certificates.make("expired-box", "box-7", "ca", "", -1);
    certificates.make("foreign-box", "box-7", "other-ca");
    folder.write("millwright.acl", shipped("millwright.acl") +
                                       "\nuser box-7\ntopic write factory/f1/line/l1/asset/press7/+\n"
                                       "user box-8\ntopic write factory/f1/line/l1/asset/press8/+\n" +
                                       rights);
    std::string text = shipped("mosquitto.conf");
    replace_all(text, "/etc/mosquitto/certs/broker", (folder.path() / certificate).string());
    replace_all(text, "/etc/mosquitto/certs/ca", (folder.path() / ca).string());
    replace_all(text, "/etc/mosquitto", folder.path().string());
    replace_all(text, "/var/lib/mosquitto/", folder.path().string() + "/");
    settings_ = text;
    start();
  }

  void start() {
    for (int attempt = 0; attempt < 10; ++attempt) {
      port = free_port();
      std::string text = settings_;
      replace_all(text, "listener 8883", "listener " + std::to_string(port) + " 127.0.0.1");
      const auto file = folder.write("mosquitto.conf", "user root\n" + text);
      process_.emplace(*ChildProcess::start(
          {.argv = {"/usr/sbin/mosquitto", "-v", "-c", file.string()}, .out_file = folder.path() / "log"}));
      if (eventually([this] { return listens(port) || process_->poll(); }) && !process_->poll()) return;
    }
    MW_CHECK(false, "mosquitto does not start with the shipped configuration");
  }

  ClientOptions options(const std::string& certificate, const std::string& ca = "ca") {
    ClientOptions made = options_for(port, certificate.empty() ? "nobody" : certificate);
    made.tls = certificates.client(ca, certificate);
    return made;
  }

  TemporaryFolder folder;
  Certificates certificates{folder.path()};
  uint16_t port = 0;

 private:
  std::string settings_;
  std::optional<ChildProcess> process_;
};

std::string why_not(const ClientOptions& options) {
  const Status status = probe(options, 20'000);
  return status ? "it worked" : status.error().message;
}

TEST(MutualTls, AHandshakeThatFailsSaysWhy) {
  ShippedBroker broker;
  EXPECT_EQ(why_not(broker.options("box-7")), "it worked");
  ClientOptions by_name = broker.options("box-7");
  by_name.host = "localhost";
  EXPECT_EQ(why_not(by_name), "it worked");
  EXPECT_THAT(why_not(broker.options("box-7", "other-ca")), testing::HasSubstr("was not issued by the CA in"));
  EXPECT_THAT(why_not(broker.options("")), testing::HasSubstr("client certificate"));
  EXPECT_THAT(why_not(broker.options("expired-box")), testing::HasSubstr("this box's certificate has expired"));
  EXPECT_THAT(why_not(broker.options("foreign-box")),
              testing::HasSubstr("does not know the CA that issued this box's"));
  ClientOptions plain = broker.options("box-7");
  plain.tls.reset();
  EXPECT_NE(why_not(plain), "it worked");
}

TEST(MutualTls, ABrokerWithTheWrongCertificateIsRefusedAndNamed) {
  {
    ShippedBroker broker("expired-broker");
    EXPECT_THAT(why_not(broker.options("box-7")), testing::HasSubstr("the broker's certificate has expired"));
  }
  ShippedBroker broker("misnamed-broker");
  const std::string why = why_not(broker.options("box-7"));
  EXPECT_THAT(why, testing::HasSubstr("for mqtt.elsewhere"));
  EXPECT_THAT(why, testing::HasSubstr("does not name 127.0.0.1"));
  ClientOptions by_name = broker.options("box-7");
  by_name.host = "localhost";
  EXPECT_THAT(why_not(by_name), testing::HasSubstr("does not name localhost"));
}

// A TLS server that offers one version only; it need not be a broker to be refused.
std::string why_not_version(const Certificates& certificates, const std::string& version, bool allow_tls12) {
  const uint16_t port = free_port();
  const auto server = ChildProcess::start(
      {.argv = {"/usr/bin/openssl", "s_server", "-accept", std::to_string(port), version, "-cipher", "ALL:@SECLEVEL=0",
                "-cert", certificates.path("server", "crt"), "-key", certificates.path("server", "key"), "-quiet"},
       .out_file = "/dev/null"});
  EXPECT_TRUE(server.has_value() && eventually([port] { return listens(port); }));
  ClientOptions options = options_for(port, "box");
  options.connect_timeout_ms = 500;
  options.tls = certificates.client("ca", "");
  options.tls->allow_tls12 = allow_tls12;
  return why_not(options);
}

TEST(MutualTls, OldVersionsAreRefused) {
  const TemporaryFolder folder;
  const Certificates certificates(folder.path());
  certificates.make_ca("ca");
  certificates.make("server", "server", "ca", "IP:127.0.0.1");
  EXPECT_THAT(why_not_version(certificates, "-tls1_1", true), testing::HasSubstr("TLS versions older than 1.2"));
  EXPECT_THAT(why_not_version(certificates, "-tls1_1", false), testing::HasSubstr("TLS versions older than 1.3"));
  EXPECT_THAT(why_not_version(certificates, "-tls1_2", false), testing::HasSubstr("or allow TLS 1.2"));
  EXPECT_THAT(why_not_version(certificates, "-tls1_2", true), testing::HasSubstr("closed the connection"));
}

// Another client than ours: the shipped broker itself must refuse what we would never offer.
bool shakes_hands(const ShippedBroker& broker, const std::string& version) {
  const std::string command = fmt::format(
      "/usr/bin/openssl s_client -connect 127.0.0.1:{} {} -cipher ALL:@SECLEVEL=0 -CAfile {} -cert {} -key {} "
      "</dev/null",
      broker.port, version, broker.certificates.path("ca", "crt"), broker.certificates.path("box-7", "crt"),
      broker.certificates.path("box-7", "key"));
  auto client = ChildProcess::start({.argv = {"/bin/sh", "-c", command}, .out_file = "/dev/null"});
  return client.has_value() && client->wait() == 0;
}

TEST(MutualTls, TheShippedBrokerRefusesOldVersions) {
  const ShippedBroker broker;
  EXPECT_TRUE(shakes_hands(broker, "-tls1_3"));
  EXPECT_FALSE(shakes_hands(broker, "-tls1_2"));
  EXPECT_FALSE(shakes_hands(broker, "-tls1_1"));
}

TEST(MutualTls, FilesThatCannotWorkAreNamed) {
  const TemporaryFolder folder;
  const Certificates certificates(folder.path());
  certificates.make_ca("ca");
  certificates.make("box-7", "box-7", "ca");
  certificates.make("box-8", "box-8", "ca");
  ClientOptions options = options_for(1, "box-7");
  options.tls = certificates.client("nowhere", "box-7");
  EXPECT_THAT(why_not(options), testing::HasSubstr("nowhere.crt: no such file"));
  options.tls = certificates.client("ca", "box-7");
  options.tls->key_file = certificates.path("box-8", "key");
  EXPECT_THAT(why_not(options), testing::HasSubstr("cannot be used with certificate"));
  options.tls->key_file.clear();
  EXPECT_THAT(why_not(options), testing::HasSubstr("needs its key"));
  options.tls->key_file = certificates.path("box-7", "key");
  std::filesystem::permissions(options.tls->key_file, std::filesystem::perms(0644));
  EXPECT_THAT(why_not(options), testing::HasSubstr("everybody on this machine can read"));
  EXPECT_GT(*certificate_not_after(certificates.path("box-7", "crt")), 1'700'000'000);
  EXPECT_FALSE(certificate_not_after(certificates.path("box-7", "key")).has_value());
  EXPECT_EQ(*certificate_common_name(certificates.path("box-8", "crt")), "box-8");
  EXPECT_FALSE(certificate_common_name(certificates.path("box-8", "key")).has_value());
  EXPECT_THAT(certificate_common_name(certificates.path("nobody", "crt")).error().message,
              testing::HasSubstr("nobody.crt: no such file"));
}

// As the README has it, step by step.
TEST(MutualTls, TheShippedScriptMakesCertificatesThatWork) {
  RealBroker broker(
      "cafile {folder}/certs/ca.crt\ncertfile {folder}/certs/broker.crt\nkeyfile {folder}/certs/broker.key\n"
      "require_certificate true\nuse_identity_as_username true\ntls_version tlsv1.3\n");
  const std::filesystem::path certs = broker.folder().path() / "certs";
  const auto script = [&](std::vector<std::string> arguments) {
    std::vector<std::string> argv = {"/bin/sh", MILLWRIGHT_SOURCE_DIR "/deploy/mosquitto/certificates.sh",
                                     certs.string()};
    argv.insert(argv.end(), arguments.begin(), arguments.end());
    auto child = ChildProcess::start({.argv = argv, .out_file = broker.folder().path() / "openssl.log"});
    return child.has_value() ? child->wait() : -1;
  };
  EXPECT_EQ(script({"client", "box-7"}), 2) << "no CA yet";
  ASSERT_EQ(script({"ca"}), 0);
  ASSERT_EQ(script({"broker", "DNS:localhost,IP:127.0.0.1"}), 0);
  for (const char* name : {"box-7", "millwright-hub"}) {
    ASSERT_EQ(script({"client", name}), 0);
    EXPECT_EQ(*certificate_common_name(certs / (std::string(name) + ".crt")), name);
  }
  EXPECT_EQ(script({"client", "box-7"}), 2) << "never made anew";
  EXPECT_EQ(script({"client", "../x"}), 2);
  EXPECT_EQ(std::filesystem::status(certs / "box-7.key").permissions(), std::filesystem::perms(0600));
  broker.start();
  const Certificates made(certs);
  ClientOptions options = options_for(broker.port(), "box-7");
  options.tls = made.client("ca", "box-7");
  EXPECT_EQ(why_not(options), "it worked");
  options.host = "localhost";
  EXPECT_EQ(why_not(options), "it worked");
  options.tls = made.client("ca", "broker");
  EXPECT_NE(why_not(options), "it worked") << "a broker's certificate is no client's";
}

TEST(MutualTls, APeerThatClosesDuringTheHandshakeIsNotCalledAnErrorOfTls) {
  const TemporaryFolder folder;
  const Certificates certificates(folder.path());
  certificates.make_ca("ca");
  HostileBroker broker([](Wire& wire) { wire.read(200); });
  ClientOptions options = options_for(broker.port(), "box");
  options.tls = certificates.client("ca", "");
  EXPECT_THAT(why_not(options),
              testing::HasSubstr("closed the connection during the TLS handshake; is it starting or stopping?"));
}

Outcome outcome_of(Client& client, Notes& told, const std::string& topic, uint64_t token) {
  EXPECT_TRUE(client.publish({.topic = topic, .payload = "{}", .token = token}));
  EXPECT_TRUE(told.wait([&] { return told.deliveries.contains(token); }));
  return told.look([&] { return told.deliveries[token].at(0).outcome; });
}

TEST(ShippedLists, ADeviceWritesItsOwnTopicsOnlyAndOnlyTheHubCommands) {
  ShippedBroker broker;
  Notes of_box, of_hub;
  const auto box = *Client::start(broker.options("box-7"), of_box);
  const auto hub = *Client::start(broker.options("hub"), of_hub);
  ASSERT_TRUE(of_box.wait([&] { return of_box.connected == 1; }));
  ASSERT_TRUE(of_hub.wait([&] { return of_hub.connected == 1; }));
  uint64_t token = 0;
  for (const char* topic : {"factory/f1/line/l1/asset/press7/alerts", "factory/f1/line/l1/asset/press7/scores",
                            "factory/f1/edge/box-7/status"}) {
    EXPECT_EQ(outcome_of(*box, of_box, topic, ++token), Outcome::kAccepted) << topic;
    EXPECT_EQ(outcome_of(*hub, of_hub, topic, token), Outcome::kRefused) << topic;
  }
  for (const char* topic :
       {"factory/f1/line/l1/asset/press8/alerts", "factory/f1/edge/box-8/status", "factory/f1/edge/box-7/ack",
        "factory/f1/edge/box-7/command", "factory/f1/edge/box-8/command", "elsewhere"}) {
    EXPECT_EQ(outcome_of(*box, of_box, topic, ++token), Outcome::kRefused) << topic;
  }
  EXPECT_EQ(outcome_of(*hub, of_hub, "factory/f1/edge/box-7/ack", 100), Outcome::kAccepted);
  EXPECT_EQ(outcome_of(*hub, of_hub, "factory/f1/edge/box-7/command", 101), Outcome::kAccepted);
}

class Storing final : public FleetEvents {
 public:
  bool on_alert(const model::StrokeMessage&, std::string_view) override { return true; }
  void on_ack_refused(uint8_t why) override { reason = why; }
  std::atomic<uint8_t> reason{0};
};

// Somebody who may read everything, and is not the hub.
TEST(ShippedLists, AHubWhoseAcknowledgementsAreRefusedHearsOfIt) {
  ShippedBroker broker("broker", "ca", "user box-8\ntopic read factory/#\n");
  Storing storing;
  Notes of_box;
  const auto listener = *FleetSubscriber::start(broker.options("box-8"), "", storing);
  ASSERT_TRUE(eventually([&] { return listener->listening(); }));
  const auto box = *Client::start(broker.options("box-7"), of_box);
  ASSERT_TRUE(of_box.wait([&] { return of_box.connected == 1; }));
  model::StrokeRecord record;
  record.is_alert = true;
  const std::string alert = model::stroke_message(
      model::to_json_line(record, {.factory_id = "f1", .line_id = "l1", .asset_id = "press7", .device_id = "box-7"}),
      {.boot_id = "b", .seq = 1});
  ASSERT_TRUE(box->publish({.topic = "factory/f1/line/l1/asset/press7/alerts", .payload = alert}));
  EXPECT_TRUE(eventually([&] { return listener->figures().acks_refused == 1; }));
  EXPECT_EQ(storing.reason, 0x87);
  EXPECT_EQ(listener->figures().acks, 1u);
}

// Also where the broker takes the client id from the certificate, and the ids that are asked for differ.
TEST(ShippedLists, TwoProgramsWithOneCertificateAreToldToLookForEachOther) {
  ShippedBroker broker;
  Notes of_first, of_second;
  const auto first = *Client::start(broker.options("box-7"), of_first);
  ASSERT_TRUE(of_first.wait([&] { return of_first.connected == 1; }));
  ClientOptions same = broker.options("box-7");
  same.client_id = "another";
  const auto second = *Client::start(same, of_second);
  ASSERT_TRUE(of_first.wait([&] { return of_first.losses.size() >= 5; }));
  EXPECT_THAT(
      of_first.look([&] { return of_first.losses.back(); }),
      testing::AllOf(testing::HasSubstr("does another program use the certificate"), testing::HasSubstr("box-7.crt")));
}

TEST(ShippedLists, AStolenClientIdDisturbsNobody) {
  ShippedBroker broker;
  Notes of_box, of_thief;
  const auto box = *Client::start(broker.options("box-7"), of_box);
  ASSERT_TRUE(of_box.wait([&] { return of_box.connected == 1; }));
  // MILLWRIGHT_TRIES: more of them than a test has time for.
  const char* more = std::getenv("MILLWRIGHT_TRIES");
  const int tries = more == nullptr ? 50 : std::atoi(more);
  for (int i = 0; i < tries; ++i) {
    ClientOptions stolen = broker.options("box-8");
    stolen.client_id = "box-7";
    stolen.backoff_first_ms = 1;
    Notes notes;
    const auto thief = *Client::start(stolen, notes);
    ASSERT_TRUE(notes.wait([&] { return notes.connected == 1; }));
    EXPECT_EQ(outcome_of(*thief, notes, "factory/f1/edge/box-7/status", 1), Outcome::kRefused);
  }
  EXPECT_EQ(outcome_of(*box, of_box, "factory/f1/edge/box-7/status", 1), Outcome::kAccepted);
  EXPECT_EQ(box->figures().connects, 1u);
  EXPECT_TRUE(of_box.look([&] { return of_box.losses.empty(); }));
}

}  // namespace
}  // namespace millwright::net::mqtt
