// SPDX-License-Identifier: Apache-2.0
// Any bytes as a bundle, twice: as they are, and with lengths and digests put right, since no mutation would ever hit a
// SHA-256 and what lies behind it would never be reached.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

#include "base/check.h"
#include "base/digest.h"
#include "model/bundle.h"

namespace {

using namespace millwright;

constexpr size_t kHeaderBytes = 56;
constexpr std::string_view kLength = "\"length\":";
constexpr std::string_view kDigest = "\"sha256\":\"";

// Writes the digest of each section into the manifest, as far as the manifest still names its length.
void repair_sections(std::span<std::byte> manifest, std::span<const std::byte> sections) {
  const std::string_view text(reinterpret_cast<const char*>(manifest.data()), manifest.size());
  size_t at = 0;
  while ((at = text.find(kLength, at)) != std::string_view::npos) {
    at += kLength.size();
    size_t length = 0;
    for (; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at) {
      length = std::min(sections.size(), length * 10 + static_cast<size_t>(text[at] - '0'));
    }
    const size_t digest = text.find(kDigest, at);
    if (digest == std::string_view::npos || text.size() - digest < kDigest.size() + 64) return;
    const std::string hex = sha256(sections.first(length)).hex();
    std::memcpy(manifest.data() + digest + kDigest.size(), hex.data(), hex.size());
    sections = sections.subspan(length);
  }
}

void repair(Bytes& bytes) {
  if (bytes.size() < kHeaderBytes) return;
  uint32_t length = 0;
  std::memcpy(&length, bytes.data() + 12, sizeof(length));
  length = std::min<uint32_t>(length, static_cast<uint32_t>(bytes.size() - kHeaderBytes));
  const uint64_t total = bytes.size();
  const std::span<std::byte> rest = std::span(bytes).subspan(kHeaderBytes);
  repair_sections(rest.first(length), rest.subspan(length));
  const Digest digest = sha256(std::span<const std::byte>(rest.first(length)));
  std::memcpy(bytes.data() + 12, &length, sizeof(length));
  std::memcpy(bytes.data() + 16, &total, sizeof(total));
  std::memcpy(bytes.data() + 24, digest.bytes.data(), digest.bytes.size());
}

// What was read can be written, and is then the same as it was.
void check(std::span<const std::byte> bytes) {
  const auto bundle = model::decode_bundle(bytes);
  if (!bundle) {
    MW_CHECK(bundle.error().message.find('\n') == std::string::npos, "an error is one line");
    return;
  }
  const auto written = model::encode_bundle(*bundle);
  MW_CHECK(written.has_value(), "what was read can be written");
  const auto again = model::decode_bundle(*written);
  MW_CHECK(again.has_value() && *model::encode_bundle(*again) == *written, "what was written is read as the same");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto input = std::as_bytes(std::span(data, size));
  check(input);
  Bytes repaired(input.begin(), input.end());
  repair(repaired);
  check(repaired);
  return 0;
}
