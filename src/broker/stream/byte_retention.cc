#include "broker/stream/byte_retention.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <utility>
#include <vector>

#include "broker/shard.h"
#include "engine/log_measure.h"

namespace arena::broker {
namespace {

constexpr uint64_t kMuchBytes = 1 << 20;

struct Shown {
  LogName log;
  uint64_t messages = 0;
  uint64_t bytes = 0;
};

// About; of an engine that does not know, as if all that the log holds were of one size.
uint64_t shown_bytes(Shard& owner, const Log& log) {
  const LogName name = log.name();
  const engine::Store& store = owner.store();
  if (const auto* measure = dynamic_cast<const engine::LogMeasure*>(&store)) {
    return measure->bytes_from(name.partition, name.log, log.first());
  }
  const engine::LogBounds bounds = store.bounds(name.partition, name.log);
  if (bounds.start >= bounds.end) return 0;
  const double part = static_cast<double>(log.end() - log.first()) / static_cast<double>(bounds.end - bounds.start);
  return static_cast<uint64_t>(static_cast<double>(bounds.bytes) * std::min(part, 1.0));
}

// Below which offset it has to hide to show no more than `keep`.
uint64_t first_of_last(Shard& owner, const Log& log, uint64_t keep) {
  const LogName name = log.name();
  const uint64_t bytes = shown_bytes(owner, log);
  if (bytes <= keep) return log.first();
  if (const auto* measure = dynamic_cast<const engine::LogMeasure*>(&owner.store())) {
    return measure->offset_behind(name.partition, name.log, log.first(), bytes - keep);
  }
  const double part = static_cast<double>(bytes - keep) / static_cast<double>(bytes);
  return log.first() + static_cast<uint64_t>(std::ceil(static_cast<double>(log.end() - log.first()) * part));
}

// Deletes at once what it hides: at full speed much comes before the next tick.
void keep_bytes(Shard& owner, LogName name, uint64_t keep) {
  Log& log = owner.log_at(name);
  log.hide_below(first_of_last(owner, log, keep));
  log.trim();
}

uint64_t message_bytes(const Shown& shown) { return std::max<uint64_t>(1, shown.bytes / std::max<uint64_t>(1, shown.messages)); }

// Shares the excess out in whole messages: what one rounds off the next gives along. All together they give no less than the
// excess, and about half a message more. Tells the excess.
uint64_t share_out(Shard& home, const std::vector<Shown>& logs, uint64_t bytes_max) {
  Shown all;
  for (const Shown& one : logs) {
    all.messages += one.messages;
    all.bytes += one.bytes;
  }
  if (all.bytes <= bytes_max) return 0;
  const double part = static_cast<double>(all.bytes - bytes_max) / static_cast<double>(all.bytes);
  double owed = static_cast<double>(message_bytes(all)) / 2;
  for (const Shown& one : logs) {
    owed += static_cast<double>(one.bytes) * part;
    const auto unit = static_cast<double>(message_bytes(one));
    const double given = std::min(std::floor(owed / unit + 0.5) * unit, static_cast<double>(one.bytes));
    if (given <= 0) continue;
    owed -= given;
    // What comes meanwhile takes its place in what is kept, and after a purge there is not so much.
    home.call_owner(one.log.partition, [log = one.log, keep = one.bytes - static_cast<uint64_t>(given)](Shard& owner) { keep_bytes(owner, log, keep); });
  }
  return all.bytes - bytes_max;
}

// At a look each second a stream may hold what a second brings more than it should: hundreds of MB.
bool is_much(uint64_t excess, uint64_t bytes_max) { return excess > std::max(kMuchBytes, bytes_max / 8); }

void measure(Shard& home, LogId log, uint64_t bytes_max, UniqueFunction<void(bool)> done) {
  struct Count {
    std::vector<Shown> logs;
    UniqueFunction<void(bool)> done;
  };
  const auto count = std::make_shared<Count>(Count{{}, std::move(done)});
  const PartitionId partitions = home.placement().partitions();
  for (PartitionId id = 0; id < partitions; ++id) {
    home.call_owner(id, [name = LogName{id, log}, count, partitions, bytes_max, back = home.core()](Shard& owner) {
      const Log& held = owner.log_at(name);
      const Shown shown{name, held.messages_between(held.first(), held.end()), shown_bytes(owner, held)};
      owner.call(back, [shown, count, partitions, bytes_max](Shard& there) {
        count->logs.push_back(shown);
        if (count->logs.size() < partitions) return;
        count->done(is_much(share_out(there, count->logs, bytes_max), bytes_max));
      });
    });
  }
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
    measure(home, stream.log, stream.config.retention.bytes, one_done);
  }
  one_done(false);
}

}  // namespace arena::broker
