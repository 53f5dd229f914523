// SPDX-License-Identifier: Apache-2.0
// The outbox beside SQLite (WAL, synchronous=FULL) and a bare pwrite with fdatasync, in one interleaved run on one
// disk. usage: outbox_bench FOLDER [ROUNDS]; one line per figure, each the median over the rounds and its range.
#include <fcntl.h>
#include <sqlite3.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/check.h"
#include "base/random.h"
#include "edge/outbox/outbox.h"
#include "model/stroke_record.h"

namespace {

using namespace millwright;
using namespace millwright::edge;
using Instant = std::chrono::steady_clock;

double seconds_since(Instant::time_point begin) {
  return std::chrono::duration<double>(Instant::now() - begin).count();
}

// Lines as the agent writes them.
std::vector<std::string> make_lines(size_t count) {
  Random random(1);
  model::RecordContext context{.factory_id = "plant-4",
                               .line_id = "line-2",
                               .asset_id = "press-7",
                               .device_id = "box-0017",
                               .boot_id = "f3489bb7-22d8-424b-a2e6-9e1309aad6fe",
                               .feature_names = {"rms", "peak", "crest factor", "kurtosis", "band 200-400 Hz"}};
  std::vector<std::string> lines;
  for (size_t i = 1; i <= count; ++i) {
    model::StrokeRecord record;
    record.stroke_id = i;
    record.plc_cycle = i;
    record.trigger_wall_ns = 1'763'900'000'000'000'000 + static_cast<int64_t>(i) * 1'000'013'000;
    record.trigger_monotonic_ns = 7'469'346'112'943 + static_cast<int64_t>(i) * 1'000'012'345;
    record.latency_ns = 1'000'000 + static_cast<int64_t>(random.below(900'000));
    record.verdict = model::Verdict::kGo;
    record.score = random.uniform();
    record.raw_score = 40.0 + random.normal();
    record.threshold = 50.74292597660239;
    record.provider = 1;
    record.model.bytes.fill(0xCE);
    record.top.count = 3;
    const auto first = static_cast<uint16_t>(random.below(5));
    for (uint8_t k = 0; k < 3; ++k) {
      record.top.items[k].feature = static_cast<uint16_t>((first + k) % 5);
      record.top.items[k].share = random.uniform();
    }
    lines.push_back(model::to_json_line(record, context));
  }
  return lines;
}

// Each store takes the lines of one batch and returns when they are durable.
using Store = std::function<void(size_t first, size_t count)>;

Store outbox_store(Outbox& outbox, const std::vector<std::string>& lines) {
  return [&](size_t first, size_t count) {
    std::vector<Message> batch;
    batch.reserve(count);
    for (size_t i = 0; i < count; ++i) {
      const size_t line = (first + i) % lines.size();
      batch.push_back({.stream = Stream::kScores, .asset = "press-7", .stroke_id = first + i, .payload = lines[line]});
    }
    const auto report = outbox.append(batch);
    MW_CHECK(report && report->stored == count, "the outbox takes what a bench gives it");
  };
}

class Sqlite {
 public:
  explicit Sqlite(const std::filesystem::path& path) {
    run(sqlite3_open(path.c_str(), &base_));
    run(sqlite3_exec(base_,
                     "pragma journal_mode=wal; pragma synchronous=full; create table outbox(sequence integer "
                     "primary key, stream integer, asset text, stroke integer, wall integer, payload blob)",
                     nullptr, nullptr, nullptr));
    run(sqlite3_prepare_v2(base_, "insert into outbox values(null, 1, 'press-7', ?, 1, ?)", -1, &insert_, nullptr));
    run(sqlite3_prepare_v2(base_, "begin", -1, &begin_, nullptr));
    run(sqlite3_prepare_v2(base_, "commit", -1, &commit_, nullptr));
  }
  ~Sqlite() {
    for (sqlite3_stmt* one : {insert_, begin_, commit_}) sqlite3_finalize(one);
    sqlite3_close(base_);
  }
  Sqlite(const Sqlite&) = delete;
  Sqlite& operator=(const Sqlite&) = delete;

  void store(const std::vector<std::string>& lines, size_t first, size_t count) {
    step(begin_);
    for (size_t i = 0; i < count; ++i) {
      const std::string& line = lines[(first + i) % lines.size()];
      sqlite3_bind_int64(insert_, 1, static_cast<sqlite3_int64>(first + i));
      sqlite3_bind_blob(insert_, 2, line.data(), static_cast<int>(line.size()), SQLITE_STATIC);
      step(insert_);
    }
    step(commit_);
  }

 private:
  static void run(int code) { MW_CHECK(code == SQLITE_OK, "SQLite works in a bench's folder"); }
  static void step(sqlite3_stmt* statement) {
    MW_CHECK(sqlite3_step(statement) == SQLITE_DONE, "SQLite takes what a bench gives it");
    sqlite3_reset(statement);
  }
  sqlite3* base_ = nullptr;
  sqlite3_stmt* insert_ = nullptr;
  sqlite3_stmt* begin_ = nullptr;
  sqlite3_stmt* commit_ = nullptr;
};

// The floor: a file whose blocks are written, one pwrite of a whole line and one fdatasync.
class Bare {
 public:
  explicit Bare(const std::filesystem::path& path) : file_(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600)) {
    const std::vector<char> zeros(kBytes);
    MW_CHECK(::pwrite(file_, zeros.data(), zeros.size(), 0) == static_cast<ssize_t>(kBytes) && ::fsync(file_) == 0,
             "a bench has room");
  }
  ~Bare() { ::close(file_); }
  Bare(const Bare&) = delete;
  Bare& operator=(const Bare&) = delete;
  void store(const std::string& line) {
    if (at_ + line.size() > kBytes) at_ = 0;
    MW_CHECK(::pwrite(file_, line.data(), line.size(), static_cast<off_t>(at_)) == static_cast<ssize_t>(line.size()) &&
                 ::fdatasync(file_) == 0,
             "a bench's disk works");
    at_ += line.size();
  }

 private:
  static constexpr size_t kBytes = 40 << 20;
  int file_;
  size_t at_ = 0;
};

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

void print(const std::string& name, const std::vector<double>& values) {
  const auto [low, high] = std::minmax_element(values.begin(), values.end());
  std::printf("%-44s %12.2f  [%.2f .. %.2f]  n=%zu\n", name.c_str(), median(values), *low, *high, values.size());
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: outbox_bench FOLDER [ROUNDS]\n");
    return 2;
  }
  const std::filesystem::path folder = std::filesystem::path(argv[1]) / "outbox_bench";
  const size_t rounds = argc > 2 ? std::strtoul(argv[2], nullptr, 10) : 7;
  std::filesystem::remove_all(folder);
  std::filesystem::create_directories(folder);
  const auto lines = make_lines(5000);
  const SystemClock clock;
  OutboxOptions with{.folder = folder / "differences"};
  OutboxOptions without{.folder = folder / "whole"};
  without.streams[1].deltas = false;
  Outbox differences(with, clock);
  Outbox whole(without, clock);
  MW_CHECK(differences.open() && whole.open(), "a bench has room for two outboxes");
  Sqlite sqlite(folder / "sqlite.db");
  Bare bare(folder / "bare");
  size_t next = 0;
  std::map<std::string, std::vector<double>> figures;
  for (size_t round = 0; round < rounds; ++round) {
    for (const size_t batch : {1UL, 100UL, 1000UL}) {
      const size_t batches = batch == 1 ? 300 : 30;
      const auto rate = [&](const Store& store) {
        const auto begin = Instant::now();
        for (size_t i = 0; i < batches; ++i) store(next += batch, batch);
        return static_cast<double>(batches * batch) / seconds_since(begin);
      };
      const double ours = rate(outbox_store(differences, lines));
      const double plain = rate(outbox_store(whole, lines));
      const double theirs = rate([&](size_t first, size_t count) { sqlite.store(lines, first, count); });
      const std::string tail = " batch " + std::to_string(batch);
      figures["a outbox, messages/s," + tail].push_back(ours);
      figures["b outbox without differences, messages/s," + tail].push_back(plain);
      figures["c SQLite WAL FULL, messages/s," + tail].push_back(theirs);
      figures["d outbox / SQLite," + tail].push_back(ours / theirs);
      figures["e outbox without differences / SQLite," + tail].push_back(plain / theirs);
    }
    std::vector<double> one;
    std::vector<double> floor;
    const Store store = outbox_store(differences, lines);
    for (size_t i = 0; i < 300; ++i) {
      auto begin = Instant::now();
      bare.store(lines[i]);
      floor.push_back(seconds_since(begin));
      begin = Instant::now();
      store(++next, 1);
      one.push_back(seconds_since(begin));
    }
    figures["f one durable message, P50 us"].push_back(1e6 * median(one));
    figures["g bare pwrite and fdatasync, P50 us"].push_back(1e6 * median(floor));
    figures["h one durable message / bare, P50"].push_back(median(one) / median(floor));
  }
  for (const auto& [name, values] : figures) print(name, values);
  std::filesystem::remove_all(folder);
}
