// What every core must know of streams, and in which order: StreamRegistry drives it.
#include <algorithm>
#include <utility>

#include "base/wire.h"
#include "broker/shard.h"
#include "broker/stream/hidden.h"
#include "broker/stream/registry.h"

namespace arena::broker {

void Shard::on_all_cores(const std::function<void(Shard&, UniqueFunction<void()>)>& act, UniqueFunction<void()> done) {
  auto open = std::make_shared<std::size_t>(shards_.size());
  auto one_done = std::make_shared<UniqueFunction<void()>>([open, done = std::move(done)]() mutable {
    if (--*open == 0) done();
  });
  for (unsigned to = 0; to < shards_.size(); ++to) {
    call(to, [act, one_done, home = core()](Shard& there) {
      act(there, [&there, one_done, home] { there.call(home, [one_done](Shard&) { (*one_done)(); }); });
    });
  }
}

void Shard::barrier(UniqueFunction<void()> done) {
  on_all_cores([](Shard&, UniqueFunction<void()> heard) { heard(); }, std::move(done));
}

// Much that comes is not left until the next regular look.
void Shard::note_written_to_streams(uint64_t bytes) {
  constexpr uint64_t kMuchBytes = 1 << 20;
  written_to_streams_ += bytes;
  if (written_to_streams_ < kMuchBytes) return;
  written_to_streams_ = 0;
  with_streams([](StreamRegistry& registry) { registry.hurry(); });
}

// On every core: partition 0's owner is not asked, as nothing is changed before all have read it.
Status Shard::load_streams() {
  std::vector<Stream> streams;
  uint32_t last_log = 0;
  for (const engine::KeyValue& entry : store_.scan(0, engine::Space::streams, {}, {}, SIZE_MAX)) {
    if (is_hidden_row(entry)) continue;
    if (WireReader(entry.key).be<uint32_t>() == 0) {
      last_log = WireReader(entry.value).be<uint32_t>();
      continue;
    }
    auto stream = decode_stream(entry.value);
    if (!stream) return fail_with("a stream cannot be read: " + stream.error().reason);
    streams.push_back(std::move(stream).value());
  }
  set_streams(std::make_shared<const StreamTable>(std::move(streams)));
  delete_unknown_streams(last_log);
  restore_hidden(*this);
  // What a lost stream had in its log must not become another one's.
  if (registry_) registry_->restore(std::max(last_log, static_cast<uint32_t>(store_.newest_log())));
  return Unit{};
}

// What a removal had not deleted yet when the broker stopped.
void Shard::delete_unknown_streams(uint32_t last_log) {
  for (uint32_t id = 1; id <= last_log; ++id) {
    const LogId log{id};
    if (streams_->find(log) != nullptr) continue;
    for (const auto& [partition, owned] : partitions_) {
      const engine::LogBounds bounds = store_.bounds(partition, log);
      if (bounds.bytes != 0) store_.trim(partition, log, bounds.end);
    }
  }
}

void Shard::expect_streams(StreamTableRef table) { coming_ = std::move(table); }

void Shard::set_streams(StreamTableRef table) {
  streams_ = std::move(table);
  coming_ = streams_;
}

void Shard::join_readers(const Stream& stream, UniqueFunction<void()> done) {
  std::vector<std::pair<uint64_t, LogName>> joined;
  for (const auto& [id, reader] : readers_) {
    std::vector<LogName> logs;
    reader->on_stream_added(stream, logs);
    for (const LogName log : logs) joined.emplace_back(id, log);
  }
  auto open = std::make_shared<std::size_t>(joined.size() + 1);
  auto one_done = std::make_shared<UniqueFunction<void()>>([open, done = std::move(done)]() mutable {
    if (--*open == 0) done();
  });
  for (const auto& [reader, log] : joined) {
    call_owner(log.partition, [reader = reader, log = log, one_done, home = core()](Shard& owner) {
      owner.log_at(log).set_reader(reader, 0);
      owner.call(home, [one_done](Shard&) { (*one_done)(); });
    });
  }
  (*one_done)();
}

void Shard::drop_stream(const Stream& stream) {
  for (const auto& [id, reader] : readers_) reader->on_stream_removed(stream);
  for (const auto& [id, partition] : partitions_) partition->log(stream.log).drop();
}

}  // namespace arena::broker
