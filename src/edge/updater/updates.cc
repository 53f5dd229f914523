// SPDX-License-Identifier: Apache-2.0
#include "edge/updater/updates.h"

#include <ctime>

#include <algorithm>

#include <nlohmann/json.hpp>

#include "edge/event_log.h"

namespace millwright::edge {
namespace {

constexpr int64_t kNanosPerSecond = 1'000'000'000;
constexpr int64_t kFirstLookNs = 5 * kNanosPerSecond;  // after the line has its verdicts
constexpr int64_t kFirstRetryNs = 30 * kNanosPerSecond;
constexpr double kJitter = 0.2;
constexpr int kMinutesPerHour = 60;

}  // namespace

// One asset's; its work is numbered, so that what nobody wants any more is not heard.
class Updates::Hands final : public UpdateHands {
 public:
  Hands(const AssetConfig& asset, const ModelStore& store, UpdateWorld& world, UpdateWorker& worker)
      : asset_(asset), store_(store), world_(world), worker_(worker) {}

  void download(const InstalledModel& candidate) override {
    begin(Doing::kDownload, [this, candidate](int cancel_fd) -> Status {
      MW_CHECK_OK(world_.source->fetch(candidate, store_.part(candidate.digest), cancel_fd));
      return store_.accept(candidate.digest, candidate.bytes);
    });
  }
  void qualify(const std::filesystem::path& bundle) override {
    begin(Doing::kQualify, [this, bundle](int cancel_fd) { return world_.qualify(asset_, bundle, cancel_fd); });
  }
  void cancel() override { worker_.cancel(std::exchange(work_, 0)); }
  Status serve(const std::filesystem::path& bundle) override { return world_.serve(asset_.id, bundle); }
  StrokeCounts counts() override { return world_.counts(asset_.id); }

  // Tells the updater, if it was this asset's work.
  void heard(const UpdateWorker::Done& done, Updater& updater) {
    if (done.id != work_) return;
    work_ = 0;
    if (doing_ == Doing::kDownload) {
      updater.downloaded(done.how);
    } else {
      updater.qualified(done.how);
    }
  }

 private:
  enum class Doing : uint8_t { kDownload, kQualify };
  void begin(Doing doing, UpdateWorker::Work work) {
    cancel();
    doing_ = doing;
    work_ = worker_.order(std::move(work));
  }

  const AssetConfig& asset_;
  const ModelStore store_;
  UpdateWorld& world_;
  UpdateWorker& worker_;
  Doing doing_ = Doing::kDownload;
  uint64_t work_ = 0;
};

Updates::Updates(const Config& config, const Clock& clock, UpdateWorld world)
    : config_(config),
      clock_(clock),
      world_(std::move(world)),
      random_(std::hash<std::string>{}(config.device_id) ^ static_cast<uint64_t>(clock.wall_ns())) {
  const std::string profile = config.inference.profile.empty() ? "any" : config.inference.profile;
  for (const AssetConfig& asset : config.assets) {
    if (asset.model.empty()) continue;
    const auto folder = config.state / asset.id / "models";
    const ModelStore store(folder);
    Member member{
        .asset = asset, .target = fmt::format("{}/{}.bundle", asset.model, profile), .hands = {}, .updater = {}};
    member.hands = std::make_unique<Hands>(asset, store, world_, worker_);
    const UpdaterOptions options{.folder = folder,
                                 .factory = asset.bundle,
                                 .asset = asset.id,
                                 .probation = {.least_ns = config.updates->probation_s * kNanosPerSecond,
                                               .least_verdicts = config.updates->probation_verdicts}};
    member.updater = std::make_unique<Updater>(options, *member.hands, clock, store);
    members_.push_back(std::move(member));
  }
}

Updates::~Updates() = default;

Result<std::map<std::string, std::filesystem::path>> Updates::open() {
  std::map<std::string, std::filesystem::path> out;
  for (const Member& member : members_) {
    out[member.asset.id] = MW_TRY_IN(fmt::format("asset '{}': updates", member.asset.id), member.updater->open());
  }
  return out;
}

void Updates::resume() {
  for (const Member& member : members_) member.updater->resume();
  next_look_ns_ = clock_.monotonic_ns() + static_cast<int64_t>(kFirstLookNs * random_.uniform(1.0, 2.0));
}

void Updates::tick() {
  for (const UpdateWorker::Done& done : worker_.done()) {
    if (done.id == looking_) {
      heard(done.how);
      continue;
    }
    for (const Member& member : members_) member.hands->heard(done, *member.updater);
  }
  if (looking_ == 0 && clock_.monotonic_ns() >= next_look_ns_) look();
  const bool now = allowed();
  for (const Member& member : members_) member.updater->tick(now);
}

void Updates::look() {
  auto found = std::make_shared<std::vector<std::optional<InstalledModel>>>();
  found_ = found;
  std::vector<std::string> targets;
  targets.reserve(members_.size());
  for (const Member& member : members_) targets.push_back(member.target);
  looking_ = worker_.order([this, found, targets = std::move(targets)](int cancel_fd) -> Status {
    *found = MW_TRY(world_.source->look(targets, cancel_fd));
    return {};
  });
}

// A server that is away is asked again soon, then later, never more often than that; all boxes of a plant at different
// times.
void Updates::heard(const Status& how) {
  looking_ = 0;
  const auto found = std::exchange(found_, nullptr);
  const int64_t usual = config_.updates->poll_s * kNanosPerSecond;
  int64_t wait = usual;
  if (how) {
    if (looks_failed_ > 0) log_event(Level::kInfo, "updates_reached", {{"tries", looks_failed_}});
    looks_failed_ = 0;
    failed_logged_.clear();
    for (size_t i = 0; i < members_.size() && i < found->size(); ++i) {
      if ((*found)[i]) members_[i].updater->offer(*(*found)[i]);
    }
  } else {
    wait = std::min(usual, kFirstRetryNs << std::min<uint64_t>(looks_failed_++, 10));
    if (failed_logged_ != how.error().message) {
      log_event(how.error().code == ErrorCode::kRefused ? Level::kError : Level::kWarning, "updates_not_heard",
                {{"error", how.error().message}});
      failed_logged_ = how.error().message;
    }
  }
  next_look_ns_ = clock_.monotonic_ns() +
                  static_cast<int64_t>(static_cast<double>(wait) * random_.uniform(1.0 - kJitter, 1.0 + kJitter));
}

bool Updates::allowed() const {
  const std::time_t now = clock_.wall_ns() / kNanosPerSecond;
  std::tm local{};
  ::localtime_r(&now, &local);
  return within(config_.updates->window, local.tm_hour * kMinutesPerHour + local.tm_min);
}

bool Updates::withdraw(std::string_view asset, std::string_view why) {
  const Member* const member = find(asset);
  if (member == nullptr || member->updater->state().phase == UpdatePhase::kIdle) return false;
  member->updater->withdraw(why);
  return true;
}

bool Updates::refuse(std::string_view asset, std::string_view why) {
  const Member* const member = find(asset);
  return member != nullptr && member->updater->refuse(why);
}

const Updates::Member* Updates::find(std::string_view asset) const {
  const auto found = std::ranges::find(members_, asset, [](const Member& m) { return std::string_view(m.asset.id); });
  return found == members_.end() ? nullptr : &*found;
}

std::filesystem::path Updates::serving(std::string_view asset) const {
  const Member* const member = find(asset);
  return member == nullptr ? std::filesystem::path() : member->updater->bundle();
}

nlohmann::json Updates::status(std::string_view asset) const {
  const Member* const member = find(asset);
  return member == nullptr ? nlohmann::json(nullptr) : member->updater->status();
}

}  // namespace millwright::edge
