#include "broker/stream/time_seek.h"

#include <memory>
#include <utility>

#include "broker/shard.h"

namespace arena::broker {
namespace {

struct Search {
  Shard& owner;
  LogName log;
  int64_t since_ms;
  uint64_t low;   // what lies below is older
  uint64_t high;  // what lies here, and above, is not; or the end
  UniqueFunction<void(uint64_t)> done;
};

void read_one(Shard& owner, LogName log, uint64_t from, engine::ReadDone done) {
  engine::ReadRequest request;
  request.partition = log.partition;
  request.log = log.log;
  request.from = from;
  request.bytes_max = 0;  // one record
  owner.store().read(std::move(request), std::move(done));
}

// The same, behind what cannot be read: damaged messages are as old as the next one, as far as anybody knows.
void read_one_there_is(Shard& owner, LogName log, uint64_t from, engine::ReadDone done) {
  read_one(owner, log, from, [&owner, log, from, done = std::move(done)](engine::ReadResult result) mutable {
    const bool goes_on = result.records.empty() && !result.status.ok() && result.next > from;
    if (!goes_on) return done(std::move(result));
    read_one_there_is(owner, log, result.next, std::move(done));
  });
}

void step(const std::shared_ptr<Search>& search) {
  if (search->low >= search->high) return search->done(search->high);
  const uint64_t middle = search->low + (search->high - search->low) / 2;
  read_one_there_is(search->owner, search->log, middle, [search, middle](engine::ReadResult result) {
    if (result.records.empty()) {
      search->high = middle;  // nothing there and above
    } else if (result.records.front().message->published_ms < search->since_ms) {
      search->low = result.records.front().offset + 1;
    } else {
      search->high = middle;
    }
    step(search);
  });
}

}  // namespace

void seek_time(Shard& owner, const Log& log, int64_t since_ms, UniqueFunction<void(uint64_t)> done) {
  step(std::make_shared<Search>(Search{owner, log.name(), since_ms, log.first(), log.end(), std::move(done)}));
}

void hide_older(Shard& owner, Log& log, int64_t since_ms, UniqueFunction<void()> done) {
  if (log.first() == log.end() || since_ms <= log.first_published_ms()) return done();
  auto search = [&owner, &log, since_ms, first = log.first(), done = std::move(done)](engine::ReadResult oldest) mutable {
    if (!oldest.records.empty()) log.note_first_published(first, oldest.records.front().message->published_ms);
    if (since_ms <= log.first_published_ms()) return done();
    seek_time(owner, log, since_ms, [&log, done = std::move(done)](uint64_t offset) mutable {
      log.hide_below(offset);
      done();
    });
  };
  read_one_there_is(owner, log.name(), log.first(), std::move(search));
}

}  // namespace arena::broker
