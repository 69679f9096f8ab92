// Goal: several cores commit, read and trim at the same time through one disk, each told in its own order. Meant to run
// under the thread sanitizer too.
#include <gtest/gtest.h>

#include <chrono>
#include <future>
#include <memory>
#include <string>
#include <vector>

#include "engine/rocksdb/rocks_store.h"
#include "engine/rocksdb/test_disk.h"
#include "runtime/runtime.h"

namespace arena::engine {
namespace {

constexpr unsigned kCores = 4;
constexpr uint64_t kCommits = 400;

// One core's partition: commits one after the other, reads what it has so far now and then, and trims behind itself.
class Writer {
 public:
  Writer(runtime::Loop& loop, std::shared_ptr<RocksDisk> disk)
      : partition_(static_cast<PartitionId>(loop.core())), store_(loop, std::move(disk)) {}

  void start() {
    for (int i = 0; i < 4; ++i) commit();
  }
  std::future<void> done() { return done_.get_future(); }
  const std::vector<std::string>& faults() const { return faults_; }

 private:
  void commit() {
    if (asked_ == kCommits) return;
    Batch batch;
    batch.partition = partition_;
    auto* made = new Message;
    made->topic = "t/" + std::to_string(asked_ % 3);
    made->payload = std::to_string(asked_) + std::string(20'000, 'x');
    batch.appends.push_back({LogId::inbox, asked_, {MessageRef(made)}});
    batch.operations.push_back({Operation::Kind::put, Space::sessions, "k", std::to_string(asked_)});
    store_.commit(std::move(batch), [this, number = asked_](CommitStatus status) { committed(number, status); });
    ++asked_;
  }
  void committed(uint64_t number, CommitStatus status) {
    if (status != CommitStatus::committed || number != answered_) faults_.push_back("commit " + std::to_string(number));
    ++answered_;
    if (number % 50 == 49) read();
    if (number % 100 == 99) store_.trim(partition_, LogId::inbox, number / 2);
    commit();
    finish_if_done();
  }
  void read() {
    ReadRequest request;
    request.partition = partition_;
    request.from = store_.bounds(partition_, LogId::inbox).start;
    request.topic = "t/1";
    request.bytes_max = 64 << 20;
    request.scan_bytes_max = 64 << 20;
    ++reading_;
    store_.read(std::move(request), [this, end = answered_](ReadResult result) {
      if (!result.status.ok() || result.next < end) faults_.push_back("read");
      for (const Record& record : result.records) {
        if (record.offset % 3 != 1) faults_.push_back("record");
      }
      --reading_;
      finish_if_done();
    });
  }
  void finish_if_done() {
    if (answered_ == kCommits && reading_ == 0) done_.set_value();
  }

  PartitionId partition_;
  RocksStore store_;
  uint64_t asked_ = 0;
  uint64_t answered_ = 0;
  int reading_ = 0;
  std::vector<std::string> faults_;
  std::promise<void> done_;
};

TEST(RocksThreads, CoresShareTheDisk) {
  const TestFolder folder;
  RocksOptions options;
  options.path = folder.path();
  options.partitions = kCores;
  options.reserve_bytes = 0;
  auto disk = RocksDisk::open(std::move(options));
  ASSERT_TRUE(disk.ok()) << disk.error().reason;
  std::vector<std::unique_ptr<Writer>> writers(kCores);
  {
    runtime::RuntimeOptions own_threads;
    own_threads.gather = false;
    runtime::Runtime runtime(kCores, 1, own_threads);
    runtime.start([&](runtime::EpollLoop& loop) { writers[loop.core()] = std::make_unique<Writer>(loop, *disk); },
                  [&](runtime::EpollLoop& loop) {
                    for (const std::string& fault : writers[loop.core()]->faults()) ADD_FAILURE() << fault;
                    writers[loop.core()].reset();
                  });
    std::vector<std::future<void>> done;
    for (unsigned core = 0; core < kCores; ++core) {
      done.push_back(writers[core]->done());
      runtime.loop(core).post_from_outside([&, core] { writers[core]->start(); });
    }
    for (std::future<void>& one : done) ASSERT_EQ(one.wait_for(std::chrono::seconds(60)), std::future_status::ready);
  }
  EXPECT_EQ((*disk)->damaged(), 0u);
  for (PartitionId partition = 0; partition < kCores; ++partition) {
    EXPECT_EQ((*disk)->logs().find({partition, LogId::inbox})->tail().end, kCommits);
  }
}

}  // namespace
}  // namespace arena::engine
