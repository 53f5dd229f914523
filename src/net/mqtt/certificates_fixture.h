// SPDX-License-Identifier: Apache-2.0
// A small PKI for tests, made by the openssl program while the test runs: nothing that is secret, or expires, is
// committed.
#pragma once

#include <filesystem>
#include <string>

#include "base/check.h"
#include "base/child_process.h"
#include "net/mqtt/broker_fixture.h"

namespace millwright::net::mqtt {

class Certificates {
 public:
  explicit Certificates(const std::filesystem::path& folder) : folder_(folder) {}

  // NAME.crt and NAME.key, signed by itself.
  void make_ca(const std::string& name) const {
    run({"req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
         "/CN=" + name, "-keyout", path(name, "key"), "-out", path(name, "crt"), "-addext",
         "basicConstraints=critical,CA:TRUE"});
  }

  // FILE.crt and FILE.key for a common name, signed by a CA. `names` is a subjectAltName; `days` below 0: expired.
  void make(const std::string& file, const std::string& common_name, const std::string& ca,
            const std::string& names = "", int days = 2) const {
    run({"req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=" + common_name,
         "-keyout", path(file, "key"), "-out", path(file, "csr")});
    const auto extensions = folder_ / (file + ".ext");
    MW_CHECK(
        write_file_atomic(extensions, names.empty() ? "basicConstraints=CA:FALSE\n" : "subjectAltName=" + names + "\n"),
        "a test needs a file");
    run({"x509", "-req", "-in", path(file, "csr"), "-CA", path(ca, "crt"), "-CAkey", path(ca, "key"), "-CAcreateserial",
         "-days", std::to_string(days), "-extfile", extensions.string(), "-out", path(file, "crt")});
  }

  [[nodiscard]] std::string path(const std::string& name, const std::string& ending) const {
    return (folder_ / (name + "." + ending)).string();
  }
  [[nodiscard]] TlsOptions client(const std::string& ca, const std::string& file) const {
    TlsOptions options{.ca_file = path(ca, "crt")};
    if (!file.empty()) {
      options.certificate_file = path(file, "crt");
      options.key_file = path(file, "key");
    }
    return options;
  }

 private:
  void run(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), "/usr/bin/openssl");
    auto child = ChildProcess::start({.argv = arguments, .out_file = folder_ / "openssl.log"});
    MW_CHECK(child.has_value() && child->wait() == 0, "openssl must be installed and make certificates");
  }
  std::filesystem::path folder_;
};

}  // namespace millwright::net::mqtt
