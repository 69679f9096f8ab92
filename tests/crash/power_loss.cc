// Goal: whatever moment the power goes, or whichever call to the disk fails, everything that was answered is there
// afterwards, whole and in order; what was not answered is there wholly or not at all; and the store opens.
//
//   arena_power_loss [--seeds N] [--first SEED] [--faults N]
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/log.h"
#include "crash/power_loss_files.h"
#include "engine/rocksdb/rocks_store.h"
#include "engine/test_loop.h"

namespace arena::crash {
namespace {

using engine::Batch;
using engine::CommitStatus;
using engine::LogId;
using engine::Operation;
using engine::PartitionId;
using engine::Space;

constexpr PartitionId kPartitions = 3;
constexpr const char* kStepKey = "step";

class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed * 0x9E3779B97F4A7C15ull + 0x1234567) {}
  uint64_t below(uint64_t bound) {
    state_ ^= state_ << 13;
    state_ ^= state_ >> 7;
    state_ ^= state_ << 17;
    return (state_ >> 8) % bound;
  }

 private:
  uint64_t state_;
};

// One commit.
struct Step {
  std::vector<std::string> payloads;
  std::map<std::string, std::optional<std::string>> keys;  // nullopt: erased
};

// What a partition must hold: the steps that were asked for, of which the first `answered` are certain.
struct Expected {
  std::vector<Step> steps;
  std::size_t answered = 0;
  uint64_t end = 0;            // after all steps
  uint64_t trim_asked = 0;

  uint64_t end_after(std::size_t count) const {
    uint64_t out = 0;
    for (std::size_t i = 0; i < count; ++i) out += steps[i].payloads.size();
    return out;
  }
  std::map<std::string, std::string> keys_after(std::size_t count) const {
    std::map<std::string, std::string> out;
    for (std::size_t i = 0; i < count; ++i) {
      for (const auto& [key, value] : steps[i].keys) {
        if (value) {
          out[key] = *value;
        } else {
          out.erase(key);
        }
      }
    }
    return out;
  }
  std::vector<std::string> payloads_after(std::size_t count) const {
    std::vector<std::string> out;
    for (std::size_t i = 0; i < count; ++i) out.insert(out.end(), steps[i].payloads.begin(), steps[i].payloads.end());
    return out;
  }
};

std::string topic_of(uint64_t offset) { return "t/" + std::to_string(offset % 5); }

class Trial {
 public:
  Trial(const std::string& folder, uint64_t seed)
      : random_(seed), path_(folder + "/store"), files_(folder + "/graves"), seed_(seed) {
    std::filesystem::remove_all(folder);
    std::filesystem::create_directories(folder + "/graves");
  }

  // Several lives, each ended by a cut at some call. Returns what is wrong, or nothing.
  std::string run_power_loss() {
    for (int life = 0; life < 3; ++life) {
      const bool cut_early = random_.below(4) == 0;  // perhaps while it opens
      files_.cut_after(random_.below(cut_early ? 60 : 600));
      if (open()) {
        if (std::string wrong = verify(); !wrong.empty()) return wrong;
        work(20 + random_.below(120));
      } else if (!files_.is_cut()) {
        return "it does not open: " + reason_;
      }
      close();
      files_.lose_power(seed_ * 8 + static_cast<uint64_t>(life));
    }
    return open_and_verify();
  }

  // The call after `calls` fails; nothing is lost. `reached`: there was such a call.
  std::string run_fault(uint64_t calls, bool& reached) {
    files_.fail_after(calls);
    if (open()) {
      if (std::string wrong = verify(); !wrong.empty()) return wrong;
      work(250);
    }
    reached = files_.calls() > calls;
    close();
    files_.restore();
    return open_and_verify();
  }

 private:
  bool open() {
    engine::RocksOptions options;
    options.path = path_;
    options.partitions = kPartitions;
    options.env = files_.env();
    options.write_buffer_bytes = 64 << 10;
    options.free_bytes = [] { return UINT64_MAX; };
    auto disk = engine::RocksDisk::open(std::move(options));
    if (!disk.ok()) {
      reason_ = disk.error().reason;
      return false;
    }
    disk_ = std::move(*disk);
    store_ = std::make_unique<engine::RocksStore>(loop_, disk_);
    return true;
  }
  void close() {
    store_.reset();
    disk_.reset();
    loop_.run_until_idle();  // what was under way is dropped
  }
  std::string open_and_verify() {
    if (!open()) return "it does not open: " + reason_;
    std::string wrong = verify();
    close();
    return wrong;
  }

  void work(uint64_t steps) {
    for (uint64_t i = 0; i < steps && !failed_; ++i) {
      submit(static_cast<PartitionId>(random_.below(kPartitions)));
      if (random_.below(3) == 0) loop_.turn();
      if (random_.below(20) == 0) trim(static_cast<PartitionId>(random_.below(kPartitions)));
      if (random_.below(30) == 0) disk_->mark_high_water();
      if (random_.below(40) == 0) disk_->clean();
      if (random_.below(60) == 0) disk_->database().compact();
    }
    if (random_.below(2) == 0) loop_.run_until_idle();
    failed_ = false;
  }

  void submit(PartitionId partition) {
    Expected& expected = expected_[partition];
    Step step;
    Batch batch;
    batch.partition = partition;
    batch.base_offset = expected.end;
    for (uint64_t count = random_.below(6); count > 0; --count) {
      const uint64_t offset = expected.end + step.payloads.size();
      const uint64_t bytes = random_.below(50) == 0 ? random_.below(200'000) : random_.below(2000);
      step.payloads.push_back(std::to_string(partition) + "/" + std::to_string(offset) + "/" + std::to_string(random_.below(1'000'000)) +
                              std::string(bytes, static_cast<char>('a' + random_.below(26))));
      auto* made = new Message;
      made->topic = topic_of(offset);
      made->payload = step.payloads.back();
      batch.records.emplace_back(made);
    }
    step.keys[kStepKey] = std::to_string(expected.steps.size() + 1);
    const std::string key = "key " + std::to_string(random_.below(8));
    step.keys[key] = random_.below(3) == 0 ? std::nullopt : std::optional(std::string(random_.below(300), 'v'));
    for (const auto& [name, value] : step.keys) {
      batch.operations.push_back({value ? Operation::Kind::put : Operation::Kind::erase, Space::sessions, name, value.value_or("")});
    }
    expected.end += step.payloads.size();
    expected.steps.push_back(std::move(step));
    const std::size_t number = expected.steps.size();
    store_->commit(std::move(batch), [this, &expected, number](CommitStatus status) {
      if (status == CommitStatus::committed) {
        expected.answered = number;
      } else {
        failed_ = true;
      }
    });
  }

  void trim(PartitionId partition) {
    Expected& expected = expected_[partition];
    const uint64_t end = store_->bounds(partition, LogId::inbox).end;
    if (end == 0) return;
    const uint64_t start = random_.below(4) == 0 ? end : random_.below(end);
    expected.trim_asked = std::max(expected.trim_asked, start);
    store_->trim(partition, LogId::inbox, start);
  }

  std::string verify() {
    if (disk_->damaged() != 0) return "it says that something is damaged";
    for (PartitionId partition = 0; partition < kPartitions; ++partition) {
      if (std::string wrong = verify(partition); !wrong.empty()) return "partition " + std::to_string(partition) + ": " + wrong;
    }
    return {};
  }

  std::string verify(PartitionId partition) {
    Expected& expected = expected_[partition];
    std::map<std::string, std::string> keys;
    for (engine::KeyValue& entry : store_->scan(partition, Space::sessions, {}, {}, SIZE_MAX)) keys[entry.key] = entry.value;
    const std::size_t kept = keys.contains(kStepKey) ? std::stoul(keys[kStepKey]) : 0;
    if (kept < expected.answered) return "answered " + std::to_string(expected.answered) + " commits, of which " + std::to_string(kept) + " are there";
    if (kept > expected.steps.size()) return "there are commits that nobody asked for";
    if (keys != expected.keys_after(kept)) return "the keys are not those of the last commit";
    const engine::LogBounds bounds = store_->bounds(partition, LogId::inbox);
    if (bounds.end != expected.end_after(kept)) return "the log ends at " + std::to_string(bounds.end) + ", not at " + std::to_string(expected.end_after(kept));
    if (bounds.start > expected.trim_asked) return "more was trimmed than asked for";
    const std::vector<std::string> payloads = expected.payloads_after(kept);
    if (std::string wrong = verify_log(partition, bounds, payloads, {}); !wrong.empty()) return wrong;
    const std::string topic = topic_of(random_.below(5));
    if (std::string wrong = verify_log(partition, bounds, payloads, topic); !wrong.empty()) return topic + ": " + wrong;
    expected.steps.resize(kept);
    expected.answered = kept;
    expected.end = bounds.end;
    return {};
  }

  std::string verify_log(PartitionId partition, const engine::LogBounds& bounds, const std::vector<std::string>& payloads,
                         const std::string& topic) {
    uint64_t wanted = bounds.start;
    for (uint64_t next = bounds.start; next < bounds.end;) {
      engine::ReadRequest request;
      request.partition = partition;
      request.from = next;
      request.topic = topic;
      std::optional<engine::ReadResult> got;
      store_->read(std::move(request), [&](engine::ReadResult result) { got = std::move(result); });
      loop_.run_until_idle();
      if (!got) return "a read is not answered";
      if (!got->status.ok()) return got->status.error().reason;
      for (const engine::Record& record : got->records) {
        while (!topic.empty() && wanted < bounds.end && topic_of(wanted) != topic) ++wanted;
        if (record.offset != wanted) return "offset " + std::to_string(wanted) + " is missing";
        if (record.message->payload != payloads[wanted]) return "offset " + std::to_string(wanted) + " has another content";
        ++wanted;
      }
      if (got->next <= next) return "reading does not go on";
      next = got->next;
    }
    while (!topic.empty() && wanted < bounds.end && topic_of(wanted) != topic) ++wanted;
    return wanted == bounds.end ? "" : "offset " + std::to_string(wanted) + " is missing";
  }

  Random random_;
  std::string path_;
  PowerLossFiles files_;
  uint64_t seed_;
  engine::ManualLoop loop_;
  std::shared_ptr<engine::RocksDisk> disk_;
  std::unique_ptr<engine::RocksStore> store_;
  std::map<PartitionId, Expected> expected_;
  bool failed_ = false;
  std::string reason_;
};

class Runner {
 public:
  explicit Runner(std::string folder) : folder_(std::move(folder)) {}
  ~Runner() {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }

  void power_loss(uint64_t first, uint64_t seeds) {
    for (uint64_t seed = first; seed < first + seeds; ++seed) {
      note("seed " + std::to_string(seed), Trial(folder_, seed).run_power_loss());
    }
  }
  // Each of the first `most` calls of the same load fails once.
  void faults(uint64_t most) {
    bool reached = true;
    for (uint64_t call = 0; reached && call < most; ++call) {
      note("fault at call " + std::to_string(call), Trial(folder_, 1).run_fault(call, reached));
    }
  }
  int finish() const {
    std::printf("%llu passed, %llu failed\n", static_cast<unsigned long long>(passed_), static_cast<unsigned long long>(failed_));
    return failed_ == 0 && passed_ > 0 ? 0 : 1;
  }

 private:
  void note(const std::string& what, const std::string& wrong) {
    if (wrong.empty()) {
      ++passed_;
      return;
    }
    ++failed_;
    std::printf("%s: %s\n", what.c_str(), wrong.c_str());
    std::fflush(stdout);
  }

  std::string folder_;
  uint64_t passed_ = 0;
  uint64_t failed_ = 0;
};

int run(int argc, char** argv) {
  uint64_t seeds = 100, first = 1, faults = 0;
  for (int i = 1; i + 1 < argc; i += 2) {
    const uint64_t number = std::strtoull(argv[i + 1], nullptr, 10);
    if (std::strcmp(argv[i], "--seeds") == 0) seeds = number;
    if (std::strcmp(argv[i], "--first") == 0) first = number;
    if (std::strcmp(argv[i], "--faults") == 0) faults = number;
  }
  if (std::getenv("ARENA_VERBOSE") == nullptr && std::freopen("/dev/null", "w", stderr) == nullptr) return 2;
  const char* shared = std::filesystem::exists("/dev/shm") ? "/dev/shm" : nullptr;
  std::string folder = (shared != nullptr ? std::string(shared) : std::filesystem::temp_directory_path().string()) + "/arena-power-XXXXXX";
  if (::mkdtemp(folder.data()) == nullptr) return 2;
  Runner runner(folder);
  runner.power_loss(first, seeds);
  if (faults > 0) runner.faults(faults);
  return runner.finish();
}

}  // namespace
}  // namespace arena::crash

int main(int argc, char** argv) { return arena::crash::run(argc, argv); }
