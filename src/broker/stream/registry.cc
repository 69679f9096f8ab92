#include "broker/stream/registry.h"

#include <algorithm>
#include <map>
#include <set>

#include "base/log.h"
#include "base/wire.h"
#include "broker/shard.h"
#include "broker/stream/byte_retention.h"
#include "broker/stream/time_seek.h"

namespace arena::broker {
namespace {

constexpr PartitionId kHome = 0;
constexpr int64_t kRetentionMs = 1000;
constexpr int64_t kRetentionInAHurryMs = 20;

std::string stream_key(uint32_t log) {
  std::string key;
  put_be(key, log);
  return key;
}

// Runs `then` when it has been called `count` times, and once more.
std::shared_ptr<UniqueFunction<void()>> after(std::size_t count, UniqueFunction<void()> then) {
  auto open = std::make_shared<std::size_t>(count + 1);
  return std::make_shared<UniqueFunction<void()>>([open, then = std::move(then)]() mutable {
    if (--*open == 0) then();
  });
}

Status status_of(engine::CommitStatus status) {
  switch (status) {
    case engine::CommitStatus::committed: return Unit{};
    case engine::CommitStatus::full: return fail("the store is full");
    default: return fail("the store failed");
  }
}

}  // namespace

StreamRegistry::StreamRegistry(Shard& shard) : shard_(shard), period_ms_(kRetentionMs), timer_(&on_timer, this) {}

void StreamRegistry::start() {
  if (!shard_.streams().empty() && !timer_.armed() && !retaining_) shard_.loop().arm(timer_, period_ms_);
}

void StreamRegistry::hurry() {
  if (period_ms_ <= kRetentionInAHurryMs) return;
  period_ms_ = kRetentionInAHurryMs;
  if (timer_.armed()) shard_.loop().arm(timer_, period_ms_);
}

void StreamRegistry::enqueue(UniqueFunction<void()> change) {
  changes_.push_back(std::move(change));
  run_next();
}

void StreamRegistry::run_next() {
  if (changing_ || changes_.empty()) return;
  changing_ = true;
  UniqueFunction<void()> next = std::move(changes_.front());
  changes_.pop_front();
  next();
}

StreamTableRef StreamRegistry::without(std::string_view name) const {
  std::vector<Stream> streams = shard_.streams().all();
  std::erase_if(streams, [&](const Stream& one) { return one.config.name == name; });
  return std::make_shared<const StreamTable>(std::move(streams));
}

StreamTableRef StreamRegistry::with(const Stream& stream) const {
  std::vector<Stream> streams = shard_.streams().all();
  std::erase_if(streams, [&](const Stream& one) { return one.log == stream.log; });
  streams.push_back(stream);
  return std::make_shared<const StreamTable>(std::move(streams));
}

// Under 0, the id of no stream, lies the highest that was ever given out.
void StreamRegistry::store(const Stream& stream, UniqueFunction<void(Status)> done) {
  std::vector<engine::Operation> operations;
  operations.push_back({engine::Operation::Kind::put, engine::Space::streams, stream_key(static_cast<uint32_t>(stream.log)), encode(stream)});
  operations.push_back({engine::Operation::Kind::put, engine::Space::streams, stream_key(0), stream_key(last_log_)});
  shard_.partition(kHome).submit(std::move(operations),
                                 [done = std::move(done)](engine::CommitStatus status) mutable { done(status_of(status)); });
}

void StreamRegistry::create(StreamConfig config, Done<Stream> done) {
  enqueue([this, config = std::move(config), done = std::move(done)]() mutable {
    auto answer = answering<Stream>(std::move(done));
    if (Status admitted = shard_.streams().admits(config); !admitted) return answer(fail(admitted.error()));
    if (shard_.streams().all().size() >= shard_.options().streams_max) {
      return answer(fail_with("there are " + std::to_string(shard_.options().streams_max) + " streams already (limits.streams_max)"));
    }
    Stream stream;
    stream.log = static_cast<LogId>(++last_log_);
    stream.created_ms = shard_.loop().wall_ms();
    stream.config = std::move(config);
    store(stream, [this, stream, answer = std::move(answer)](Status stored) mutable {
      if (!stored) return answer(fail(stored.error()));
      take_over(std::move(stream), std::move(answer));
    });
  });
}

// First every core's readers know of the new log, then its owners begin to write it.
void StreamRegistry::take_over(Stream stream, Done<Stream> done) {
  const StreamTableRef table = with(stream);
  shard_.on_all_cores(
      [table](Shard& there, UniqueFunction<void()> told) {
        there.expect_streams(table);
        there.barrier(std::move(told));
      },
      [this, stream, done = std::move(done)]() mutable {
        shard_.on_all_cores([stream](Shard& there, UniqueFunction<void()> joined) { there.join_readers(stream, std::move(joined)); },
                            [this, stream, done = std::move(done)]() mutable { capture(std::move(stream), std::move(done)); });
      });
}

void StreamRegistry::capture(Stream stream, Done<Stream> done) {
  const StreamTableRef table = with(stream);
  auto ends = std::make_shared<std::vector<uint64_t>>(shard_.placement().partitions());
  auto switched = [this, stream, ends, done = std::move(done)]() mutable {
    stream.taken_over = *ends;
    store(stream, [this, stream, done = std::move(done)](Status stored) mutable {
      if (!stored) log::warn("broker", "where a stream took over is not stored", {{"stream", stream.config.name}});
      const StreamTableRef whole = with(stream);
      shard_.on_all_cores(
          [whole](Shard& there, UniqueFunction<void()> told) {
            there.set_streams(whole);
            told();
          },
          [stream, done = std::move(done)]() mutable { done(std::move(stream)); });
    });
  };
  const auto one_done = after(shard_.placement().partitions(), std::move(switched));
  shard_.on_all_cores(
      [table](Shard& there, UniqueFunction<void()> told) {
        there.set_streams(table);
        told();
      },
      [this, ends, one_done] {
        for (PartitionId id = 0; id < shard_.placement().partitions(); ++id) {
          shard_.call_owner(id, [id, ends, one_done, home = shard_.core()](Shard& owner) {
            Partition& partition = owner.partition(id);
            // Behind all that was to be stored in $inbox before.
            partition.submit({}, [&owner, &partition, id, ends, one_done, home](engine::CommitStatus) {
              owner.call(home, [id, ends, one_done, end = partition.log(LogId::inbox).end()](Shard&) {
                (*ends)[id] = end;
                (*one_done)();
              });
            });
          });
        }
        (*one_done)();
      });
}

void StreamRegistry::edit(StreamConfig config, Done<Stream> done) {
  enqueue([this, config = std::move(config), done = std::move(done)]() mutable {
    auto answer = answering<Stream>(std::move(done));
    const Stream* known = shard_.streams().find(config.name);
    if (known == nullptr) return answer(fail_with("there is no stream \"" + config.name + "\""));
    if (config.filters != known->config.filters) {
      return answer(fail_with("the filters of the stream \"" + config.name + "\" cannot be changed: make another stream"));
    }
    Stream stream = *known;
    stream.config = std::move(config);
    store(stream, [this, stream, answer = std::move(answer)](Status stored) mutable {
      if (!stored) return answer(fail(stored.error()));
      shard_.on_all_cores(
          [table = with(stream)](Shard& there, UniqueFunction<void()> told) {
            there.set_streams(table);
            told();
          },
          [stream, answer = std::move(answer)]() mutable { answer(std::move(stream)); });
    });
  });
}

void StreamRegistry::purge(std::string name, Done<Unit> done) {
  enqueue([this, name = std::move(name), done = std::move(done)]() mutable {
    auto answer = answering<Unit>(std::move(done));
    const Stream* stream = shard_.streams().find(name);
    if (stream == nullptr) return answer(fail_with("there is no stream \"" + name + "\""));
    auto status = std::make_shared<engine::CommitStatus>(engine::CommitStatus::committed);
    const auto one_done = after(shard_.placement().partitions(), [status, answer = std::move(answer)]() mutable { answer(status_of(*status)); });
    for (PartitionId id = 0; id < shard_.placement().partitions(); ++id) {
      shard_.call_owner(id, [id, log = stream->log, status, one_done, home = shard_.core()](Shard& owner) {
        owner.partition(id).purge(log, [&owner, status, one_done, home](engine::CommitStatus purged) {
          owner.call(home, [status, one_done, purged](Shard&) {
            if (purged != engine::CommitStatus::committed) *status = purged;
            (*one_done)();
          });
        });
      });
    }
    (*one_done)();
  });
}

void StreamRegistry::remove(std::string name, Done<Unit> done) {
  enqueue([this, name = std::move(name), done = std::move(done)]() mutable {
    auto answer = answering<Unit>(std::move(done));
    const Stream* known = shard_.streams().find(name);
    if (known == nullptr) return answer(fail_with("there is no stream \"" + name + "\""));
    std::vector<engine::Operation> operations;
    operations.push_back({engine::Operation::Kind::erase, engine::Space::streams, stream_key(static_cast<uint32_t>(known->log)), {}});
    shard_.partition(kHome).submit(
        std::move(operations), [this, stream = *known, answer = std::move(answer)](engine::CommitStatus status) mutable {
          if (Status erased = status_of(status); !erased) return answer(std::move(erased));
          shard_.on_all_cores(
              [stream, table = without(stream.config.name)](Shard& there, UniqueFunction<void()> told) {
                there.set_streams(table);
                there.drop_stream(stream);
                told();
              },
              [answer = std::move(answer)]() mutable { answer(Unit{}); });
        });
  });
}

// ---- what they hold, and for how long ----

StreamUsage StreamRegistry::total(const Holdings& holdings, LogId log) {
  StreamUsage all;
  for (const Holding& holding : holdings) {
    if (holding.log.log != log) continue;
    all.messages += holding.usage.messages;
    all.bytes += holding.usage.bytes;
  }
  return all;
}

void StreamRegistry::list(UniqueFunction<void(std::vector<StreamInfo>)> done) {
  collect([this, done = std::move(done)](const Holdings& holdings) mutable {
    std::vector<StreamInfo> infos;
    for (const Stream& stream : shard_.streams().all()) {
      infos.push_back({stream, total(holdings, stream.log), shard_.over_budget(stream.log)});
    }
    done(std::move(infos));
  });
}

// Each owner hides what is too old, then says what there is.
void StreamRegistry::collect(UniqueFunction<void(Holdings)> done) {
  auto holdings = std::make_shared<Holdings>();
  const PartitionId partitions = shard_.placement().partitions();
  const std::size_t logs = shard_.streams().all().size() * partitions;
  const auto one_done = after(logs, [holdings, done = std::move(done)]() mutable { done(std::move(*holdings)); });
  for (const Stream& stream : shard_.streams().all()) {
    const int64_t age_ms = stream.config.retention.age_ms;
    const int64_t since_ms = age_ms == 0 ? INT64_MIN : shard_.loop().wall_ms() - age_ms;
    for (PartitionId id = 0; id < partitions; ++id) {
      const LogName name{id, stream.log};
      shard_.call_owner(id, [name, since_ms, holdings, one_done, home = shard_.core()](Shard& owner) {
        hide_older(owner, owner.log_at(name), since_ms, [&owner, name, holdings, one_done, home] {
          owner.call(home, [name, usage = owner.log_at(name).usage(), holdings, one_done](Shard&) {
            holdings->push_back({name, usage});
            (*one_done)();
          });
        });
      });
    }
  }
  (*one_done)();
}

void StreamRegistry::on_timer(void* self) {
  auto& registry = *static_cast<StreamRegistry*>(self);
  registry.retaining_ = true;
  registry.collect([&registry](const Holdings& holdings) {
    registry.retain(holdings);
    keep_within_bytes(registry.shard_, [&registry](bool much) {
      registry.period_ms_ = much ? kRetentionInAHurryMs : std::min(kRetentionMs, registry.period_ms_ * 2);
      registry.retaining_ = false;
      registry.start();
    });
  });
}

void StreamRegistry::retain(const Holdings& holdings) {
  std::set<LogId> full;
  for (const Stream& stream : shard_.streams().all()) {
    const StreamUsage all = total(holdings, stream.log);
    const StreamConfig& config = stream.config;
    if (config.budget_bytes != 0 && all.bytes >= config.budget_bytes) full.insert(stream.log);
    const uint64_t most = config.retention.messages;
    if (most != 0 && all.messages > most) hide(stream, holdings, all.messages - most, all.messages);
  }
  shard_.on_all_cores(
      [full](Shard& there, UniqueFunction<void()> told) {
        there.set_over_budget(full);
        told();
      },
      [] {});
}

// Each partition gives of its oldest: excess / total of what it has, and the rounding of all from the first.
void StreamRegistry::hide(const Stream& stream, const Holdings& holdings, uint64_t excess, uint64_t total) {
  const double part = static_cast<double>(excess) / static_cast<double>(total);
  double owed = 0;
  for (const Holding& holding : holdings) {
    if (holding.log.log != stream.log) continue;
    owed += static_cast<double>(holding.usage.messages) * part;
    const uint64_t count = std::min(static_cast<uint64_t>(owed + 0.5), holding.usage.messages);
    if (count == 0) continue;
    owed -= static_cast<double>(count);
    // What comes meanwhile takes its place in what is kept, and after a purge there is not so much.
    shard_.call_owner(holding.log.partition, [name = holding.log, keep = holding.usage.messages - count](Shard& owner) {
      Log& log = owner.log_at(name);
      log.hide_below(log.first_of_last(keep));
    });
  }
}

}  // namespace arena::broker
