#include "broker/stream/byte_retention.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <memory>
#include <utility>
#include <vector>

#include "broker/shard.h"

namespace arena::broker {
namespace {

constexpr uint64_t kMuchBytes = 1 << 20;
constexpr std::size_t kAges = 64;  // that are told apart in a look; what is of one age goes in proportion

// How much had been written to all logs at the end of each age, from the oldest to the newest that is shown.
using Ages = std::array<uint64_t, kAges>;

// What may be read of a partition's log.
struct Shown {
  LogName log;
  uint64_t messages = 0;
  uint64_t bytes = 0;
  uint64_t oldest = 0, newest = 0;       // Store::written_at()
  std::array<uint64_t, kAges> upto = {};  // bytes, from the first on to the end of each age
};

uint64_t shown_bytes(Shard& owner, const Log& log) { return owner.store().bytes_from(log.name().partition, log.name().log, log.first()); }

Shown look_at(Shard& owner, LogName name) {
  const Log& log = owner.log_at(name);
  Shown shown;
  shown.log = name;
  shown.messages = log.messages_between(log.first(), log.end());
  shown.bytes = shown_bytes(owner, log);
  if (shown.bytes == 0) return shown;
  shown.oldest = owner.store().written_at(name.partition, name.log, log.first());
  shown.newest = owner.store().written_at(name.partition, name.log, log.end() - 1);
  return shown;
}

Shown look_closely(Shard& owner, LogName name, const Ages& ages) {
  Shown shown = look_at(owner, name);
  const engine::Store& store = owner.store();
  const uint64_t first = owner.log_at(name).first();
  for (std::size_t i = 0; i < kAges; ++i) {
    const uint64_t behind = store.offset_written_after(name.partition, name.log, ages[i]);
    if (behind > first) shown.upto[i] = shown.bytes - std::min(shown.bytes, store.bytes_from(name.partition, name.log, behind));
  }
  return shown;
}

// Deletes at once what it hides: at full speed much comes before the next tick. What comes meanwhile takes its place in what is
// kept, and after a purge there is not so much.
void keep_bytes(Shard& owner, LogName name, uint64_t keep) {
  Log& log = owner.log_at(name);
  const uint64_t bytes = shown_bytes(owner, log);
  if (bytes > keep) log.hide_below(owner.store().offset_behind(name.partition, name.log, log.first(), bytes - keep));
  log.trim();
}

uint64_t total_bytes(const std::vector<Shown>& logs) {
  uint64_t bytes = 0;
  for (const Shown& one : logs) bytes += one.bytes;
  return bytes;
}

uint64_t message_bytes(uint64_t bytes, uint64_t messages) { return std::max<uint64_t>(1, bytes / std::max<uint64_t>(1, messages)); }

Ages ages_of(const std::vector<Shown>& logs) {
  uint64_t oldest = UINT64_MAX, newest = 0;
  for (const Shown& one : logs) {
    if (one.bytes == 0) continue;
    oldest = std::min(oldest, one.oldest);
    newest = std::max(newest, one.newest);
  }
  Ages ages{};
  if (oldest > newest) return ages;
  for (std::size_t i = 0; i < kAges; ++i) ages[i] = oldest + (newest - oldest) / kAges * (i + 1);
  ages.back() = newest;
  return ages;
}

// What is older goes whole, and of the age at which it is enough each log gives the same part of what it has.
class OldestFirst {
 public:
  OldestFirst(const std::vector<Shown>& logs, uint64_t excess) {
    for (; age_ <= kAges; ++age_) {
      const uint64_t before = sum(logs, age_), with = sum(logs, age_ + 1);
      if (with < excess && age_ < kAges) continue;
      part_ = with <= before ? 0 : static_cast<double>(excess - before) / static_cast<double>(with - before);
      return;
    }
  }
  double share_of(const Shown& log) const {
    const uint64_t before = bytes_before(log, age_);
    return static_cast<double>(before) + static_cast<double>(bytes_before(log, age_ + 1) - before) * part_;
  }

 private:
  // What came since the ages were asked for is of none.
  static uint64_t bytes_before(const Shown& log, std::size_t age) {
    if (age == 0) return 0;
    return age > kAges ? log.bytes : log.upto[age - 1];
  }
  static uint64_t sum(const std::vector<Shown>& logs, std::size_t age) {
    uint64_t bytes = 0;
    for (const Shown& one : logs) bytes += bytes_before(one, age);
    return bytes;
  }

  std::size_t age_ = 0;
  double part_ = 0;
};

// Shares the excess out in whole messages: what one rounds off the next that has of the oldest gives along. All together they give no less than the
// excess, and about half a message more. Tells the excess.
uint64_t share_out(Shard& home, const std::vector<Shown>& logs, uint64_t bytes_max) {
  const uint64_t bytes = total_bytes(logs);
  if (bytes <= bytes_max) return 0;
  uint64_t messages = 0;
  for (const Shown& one : logs) messages += one.messages;
  const OldestFirst oldest_first(logs, bytes - bytes_max);
  double owed = static_cast<double>(message_bytes(bytes, messages)) / 2;
  for (const Shown& one : logs) {
    const double share = oldest_first.share_of(one);
    if (share <= 0) continue;  // it has none of the oldest
    owed += share;
    const auto unit = static_cast<double>(message_bytes(one.bytes, one.messages));
    const double given = std::min(std::floor(owed / unit + 0.5) * unit, static_cast<double>(one.bytes));
    if (given <= 0) continue;
    owed -= given;
    home.call_owner(one.log.partition, [log = one.log, keep = one.bytes - static_cast<uint64_t>(given)](Shard& owner) { keep_bytes(owner, log, keep); });
  }
  return bytes - bytes_max;
}

// At a look each second a stream may hold what a second brings more than it should: hundreds of MB.
bool is_much(uint64_t excess, uint64_t bytes_max) { return excess > std::max(kMuchBytes, bytes_max / 8); }

// Asks every partition's owner, and answers at home.
void ask_all(Shard& home, LogId log, const std::function<Shown(Shard&, LogName)>& look, UniqueFunction<void(Shard&, std::vector<Shown>)> done) {
  struct Asked {
    std::vector<Shown> logs;
    UniqueFunction<void(Shard&, std::vector<Shown>)> done;
  };
  const auto asked = std::make_shared<Asked>(Asked{{}, std::move(done)});
  const PartitionId partitions = home.placement().partitions();
  for (PartitionId id = 0; id < partitions; ++id) {
    home.call_owner(id, [name = LogName{id, log}, look, asked, partitions, back = home.core()](Shard& owner) {
      owner.call(back, [shown = look(owner, name), asked, partitions](Shard& there) {
        asked->logs.push_back(shown);
        if (asked->logs.size() == partitions) asked->done(there, std::move(asked->logs));
      });
    });
  }
}

void keep_stream(Shard& home, LogId log, uint64_t bytes_max, UniqueFunction<void(bool)> done) {
  ask_all(home, log, look_at, [log, bytes_max, done = std::move(done)](Shard& there, const std::vector<Shown>& seen) mutable {
    if (total_bytes(seen) <= bytes_max) return done(false);
    const auto look = [ages = ages_of(seen)](Shard& owner, LogName name) { return look_closely(owner, name, ages); };
    ask_all(there, log, look, [bytes_max, done = std::move(done)](Shard& again, const std::vector<Shown>& logs) mutable {
      done(is_much(share_out(again, logs, bytes_max), bytes_max));
    });
  });
}

}  // namespace

void keep_within_bytes(Shard& home, UniqueFunction<void(bool)> done) {
  struct All {
    std::size_t open = 1;
    bool much = false;
    UniqueFunction<void(bool)> done;
  };
  const auto all = std::make_shared<All>();
  all->done = std::move(done);
  const auto one_done = [all](bool much) {
    all->much = all->much || much;
    if (--all->open == 0) all->done(all->much);
  };
  for (const Stream& stream : home.streams().all()) {
    if (stream.config.retention.bytes == 0) continue;
    ++all->open;
    keep_stream(home, stream.log, stream.config.retention.bytes, one_done);
  }
  one_done(false);
}

}  // namespace arena::broker
