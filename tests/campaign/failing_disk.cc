// SPDX-License-Identifier: Apache-2.0
#include "campaign/failing_disk.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "base/child_process.h"
#include "base/descriptor.h"
#include "campaign/virtual_machine.h"

namespace millwright::campaign {
namespace {

constexpr const char* kRun = "/usr/lib/fiu/fiu_run_preload.so";
constexpr const char* kPosix = "/usr/lib/fiu/fiu_posix_preload.so";
constexpr const char* kControl = "/usr/bin/fiu-ctrl";
constexpr const char* kFiller = "filler";

Status run(const std::vector<std::string>& command) {
  auto child = MW_TRY(ChildProcess::start({.argv = command, .out_file = "/dev/null"}));
  if (child.wait() == 0) return {};
  return fail(ErrorCode::kUnavailable, "{} {} fails", command[0], command.back());
}

}  // namespace

const std::vector<DiskFault>& disk_faults() {
  static const std::vector<DiskFault> faults = {
      {.name = "sync_fails",
       .points = {"posix/io/sync/fdatasync", "posix/io/sync/fsync", "posix/mm/msync"},
       .error = EIO},
      {.name = "disk_full", .points = {"posix/io/rw/pwrite"}, .error = ENOSPC},
      {.name = "read_only",
       .points = {"posix/io/rw/pwrite", "posix/io/rw/ftruncate", "posix/io/dir/unlink", "posix/io/dir/rename"},
       .error = EROFS}};
  return faults;
}

std::vector<std::string> fiu_wrapper(const std::filesystem::path& folder) {
  for (const char* file : {kRun, kPosix, kControl}) {
    if (::access(file, R_OK) != 0) return {};
  }
  return {"/usr/bin/env", fmt::format("LD_PRELOAD={}:{}", kRun, kPosix), "FIU_CTRL_FIFO=" + (folder / "fiu").string()};
}

Status set_fault(const std::filesystem::path& folder, pid_t process, const DiskFault& fault, bool on) {
  for (const std::string& point : fault.points) {
    MW_CHECK_OK(
        run({kControl, "-f", (folder / "fiu").string(), "-c",
             on ? fmt::format("enable name={},failinfo={}", point, fault.error) : fmt::format("disable name={}", point),
             std::to_string(process)}));
  }
  return {};
}

Status SmallDisk::mount(const std::filesystem::path& image, const std::filesystem::path& folder, uint64_t bytes) {
  if (::geteuid() != 0 || ::unshare(CLONE_NEWNS) != 0 ||
      ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) {
    return fail(ErrorCode::kUnavailable, "this process may not mount");
  }
  MW_CHECK_OK(make_disk(image, bytes));
  std::filesystem::create_directories(folder);
  return run({"/bin/mount", "-o", "loop", image.string(), folder.string()});
}

Status SmallDisk::fill(const std::filesystem::path& folder) {
  const auto path = folder / kFiller;
  const Descriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  if (!file.valid()) return fail(ErrorCode::kIo, "{}: {}", path.string(), std::strerror(errno));
  // In ever smaller pieces, down to the last block.
  off_t at = 0;
  for (off_t piece = off_t{64} << 20; piece >= 4096; piece /= 2) {
    while (::fallocate(file.get(), 0, at, piece) == 0) at += piece;
  }
  return {};
}

void SmallDisk::free(const std::filesystem::path& folder) {
  std::error_code ignored;
  std::filesystem::remove(folder / kFiller, ignored);
}

void SmallDisk::unmount(const std::filesystem::path& folder) { (void)run({"/bin/umount", folder.string()}); }

}  // namespace millwright::campaign
