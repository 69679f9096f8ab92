// A load on a store of its own, and what the store must hold after it. Every trial of tests/crash stands on it.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "crash/power_loss_files.h"
#include "engine/rocksdb/rocks_store.h"
#include "engine/test_loop.h"

namespace arena::crash {

using engine::LogId;
using engine::PartitionId;

inline constexpr PartitionId kPartitions = 3;

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
  uint64_t end = 0;  // after all steps
  uint64_t trim_asked = 0;

  uint64_t end_after(std::size_t count) const;
  std::map<std::string, std::string> keys_after(std::size_t count) const;
  std::vector<std::string> payloads_after(std::size_t count) const;
};

// Faults are told as texts; an empty one is none.
class Load {
 public:
  // `folder` is emptied; the store is in its "store".
  Load(const std::string& folder, uint64_t seed);

  PowerLossFiles& files() { return files_; }
  Random& random() { return random_; }
  std::string store_path() const { return path_; }
  // False with reason().
  bool open();
  const std::string& reason() const { return reason_; }
  void close();
  // Commits, trims and so on until so many steps are done or one fails.
  void work(uint64_t steps);
  void settle() { loop_.run_until_idle(); }

  // All that was answered is there, whole and in order, and the rest wholly or not at all.
  std::string verify();
  std::string open_and_verify();
  // Nothing is there that should not be, and what is missing was told.
  std::string verify_damaged();
  // The same after quarantine, where keys may also be older, if that was told; and no offset is used twice.
  std::string verify_quarantined(bool keys_may_be_older);
  // How many records the last of these found, and how many were stored and not trimmed.
  uint64_t found() const { return found_; }
  uint64_t wanted() const { return wanted_; }

 private:
  void submit(PartitionId partition);
  void trim(PartitionId partition);
  std::string verify(PartitionId partition);
  std::string verify_log(PartitionId partition, const engine::LogBounds& bounds, const std::vector<std::string>& payloads,
                         const std::string& topic);
  std::string verify_damaged(PartitionId partition);
  std::string verify_keys(PartitionId partition, bool& told, bool may_be_older);
  std::string verify_records(PartitionId partition, bool told, bool exact);
  std::string verify_topic(PartitionId partition, const std::string& topic);
  std::optional<engine::ReadResult> read(PartitionId partition, uint64_t from, const std::string& topic);

  Random random_;
  std::string path_;
  PowerLossFiles files_;
  engine::ManualLoop loop_;
  std::shared_ptr<engine::RocksDisk> disk_;
  std::unique_ptr<engine::RocksStore> store_;
  std::map<PartitionId, Expected> expected_;
  uint64_t found_ = 0;
  uint64_t wanted_ = 0;
  bool failed_ = false;
  std::string reason_;
};

}  // namespace arena::crash
