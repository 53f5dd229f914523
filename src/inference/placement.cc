// SPDX-License-Identifier: Apache-2.0
#include "inference/placement.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <set>
#include <string_view>
#include <tuple>

#include <nlohmann/json.hpp>

#include "base/files.h"
#include "inference/session.h"

namespace millwright::inference {
namespace {

constexpr uint64_t kMaxProfileBytes = 256ULL << 20;
constexpr std::string_view kRan = "_kernel_time";  // of a node's events the one that is its run

// A folder of ours alone: a profile's name can be guessed, and another user could put something there before.
class PrivateFolder {
 public:
  static Result<PrivateFolder> make() {
    std::error_code error;
    std::string path = (std::filesystem::temp_directory_path(error) / "millwright-profile-XXXXXX").string();
    if (error || ::mkdtemp(path.data()) == nullptr) {
      return fail(ErrorCode::kIo, "{}: cannot make a folder for a profile: {}; set TMPDIR to one that can be written",
                  path, error ? error.message() : std::strerror(errno));
    }
    return PrivateFolder(std::move(path));
  }
  ~PrivateFolder() {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
  }
  PrivateFolder(PrivateFolder&& other) noexcept : path_(std::exchange(other.path_, {})) {}
  PrivateFolder& operator=(PrivateFolder&&) = delete;
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  explicit PrivateFolder(std::string path) : path_(std::move(path)) {}
  std::filesystem::path path_;
};

std::string text_or_nothing(const nlohmann::json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

}  // namespace

Result<std::vector<PlacedNode>> read_profile(std::string_view json) {
  const nlohmann::json events = nlohmann::json::parse(json, nullptr, false);
  if (!events.is_array()) return fail(ErrorCode::kCorrupt, "profile: it is no list of events");
  std::vector<PlacedNode> out;
  std::set<std::tuple<std::string, std::string, std::string>> seen;
  for (const nlohmann::json& event : events) {
    if (!event.is_object() || text_or_nothing(event, "cat") != "Node") continue;
    const std::string name = text_or_nothing(event, "name");
    const auto args = event.find("args");
    if (!name.ends_with(kRan) || args == event.end() || !args->is_object()) continue;
    PlacedNode node{.name = name.substr(0, name.size() - kRan.size()),
                    .op = text_or_nothing(*args, "op_name"),
                    .provider = text_or_nothing(*args, "provider")};
    if (node.provider.empty()) continue;
    if (seen.emplace(node.name, node.op, text_or_nothing(*args, "node_index")).second) out.push_back(std::move(node));
  }
  return out;
}

Result<std::vector<PlacedNode>> placement(std::span<const std::byte> model, const Rung& rung) {
  const PrivateFolder folder = MW_TRY(PrivateFolder::make());
  SessionOptions options{.rung = rung, .profile = folder.path() / "run"};
  options.rung.partial = true;
  {
    auto session = MW_TRY(Session::create(model, 1, options));
    if (!session.run()) return fail(ErrorCode::kInvalidInput, "{}", session.last_error());
  }
  std::error_code error;
  for (const auto& file : std::filesystem::directory_iterator(folder.path(), error)) {
    const Bytes bytes = MW_TRY(read_file(file.path(), kMaxProfileBytes));
    return read_profile(as_text(bytes));
  }
  return fail(ErrorCode::kIo, "profile: ONNX Runtime wrote none");
}

}  // namespace millwright::inference
