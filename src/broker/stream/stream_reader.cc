#include "broker/stream/stream_reader.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "broker/shard.h"
#include "broker/stream/start.h"
#include "message/topic.h"

namespace arena::broker {
namespace {

// What one partition gives to a page.
struct Part {
  LogName log;
  uint64_t next = 0;   // where it goes on behind `records`
  Missing missing;     // before the first
  Missing lost;        // behind the last, before `next`
  bool more = false;   // behind `next`
  std::vector<engine::Record> records;
  std::size_t taken = 0;

  bool used_up() const { return taken == records.size(); }
  const Message& head() const { return *records[taken].message; }
  // Behind the last that was taken, and what was passed over before the next.
  uint64_t reached() const { return used_up() ? next : records[taken].offset; }
};

bool fits(const Message& message, const PageRequest& request, int64_t now_ms) {
  const bool too_old = request.from.kind == ReplayFrom::Kind::time && message.published_ms < request.from.time_ms;
  return !too_old && !message.expired(now_ms);
}

void read_part(Shard& owner, LogName name, const PageRequest& page, LogStart start, UniqueFunction<void(Part)> done) {
  engine::ReadRequest request;
  request.partition = name.partition;
  request.log = name.log;
  request.from = start.offset;
  request.upto = owner.log_at(name).end();
  request.bytes_max = std::min(page.bytes_max, owner.options().log_read_bytes);
  if (!page.filter.empty() && !has_wildcard(page.filter)) request.topic = page.filter;
  if (has_wildcard(page.filter)) {
    request.wanted = [filter = page.filter](std::string_view topic) { return filter_matches(filter, topic); };
  }
  const uint64_t upto = request.upto;
  owner.store().read(std::move(request), [&owner, name, page, start, upto, done = std::move(done)](engine::ReadResult result) mutable {
    const Log& log = owner.log_at(name);
    Part part{name, result.next, start.missing, log.lost_between(result.next - result.damaged, result.next), result.next < upto, std::move(result.records), 0};
    part.missing += log.missing_between(start.offset, start.offset + result.trimmed);
    std::erase_if(part.records, [&](const engine::Record& record) { return !fits(*record.message, page, owner.loop().wall_ms()); });
    done(std::move(part));
  });
}

// The partition whose next message is the oldest. Null: none has one, or one that has more may have an older one.
Part* oldest(std::vector<Part>& parts) {
  Part* best = nullptr;
  for (Part& part : parts) {
    if (part.used_up() && part.more) return nullptr;
    if (part.used_up()) continue;
    if (best == nullptr || part.head().published_ms < best->head().published_ms) best = &part;
  }
  return best;
}

Page merge(std::vector<Part> parts, const PageRequest& request) {
  std::sort(parts.begin(), parts.end(), [](const Part& a, const Part& b) { return a.log < b.log; });
  Page page;
  std::size_t bytes = 0;
  while (page.items.size() < request.messages_max && bytes < request.bytes_max) {
    Part* part = oldest(parts);
    if (part == nullptr) break;
    engine::Record& record = part->records[part->taken++];
    bytes += record.message->accounted_bytes();
    page.items.push_back({part->log, record.offset, std::move(record.message)});
  }
  for (const Part& part : parts) {
    page.missing += part.missing;
    if (part.used_up()) page.missing += part.lost;
    page.more = page.more || part.more || !part.used_up();
    if (part.reached() != 0) page.next.emplace_back(part.log, part.reached() - 1);
  }
  return page;
}

}  // namespace

void read_page(Shard& shard, PageRequest request, UniqueFunction<void(Result<Page>)> done) {
  const Stream* stream = shard.streams().find(request.stream);
  if (stream == nullptr) return done(fail_with("there is no stream \"" + request.stream + "\""));
  struct Reading {
    PageRequest request;
    std::vector<Part> parts;
    std::size_t open = 0;
    UniqueFunction<void(Result<Page>)> done;
  };
  const Placement& placement = shard.placement();
  std::vector<PartitionId> asked;
  if (request.filter.empty() || has_wildcard(request.filter)) {
    for (PartitionId id = 0; id < placement.partitions(); ++id) asked.push_back(id);
  } else {
    asked.push_back(placement.partition_of(request.filter));
  }
  const auto reading = std::make_shared<Reading>(Reading{std::move(request), {}, asked.size(), std::move(done)});
  for (const PartitionId id : asked) {
    const LogName name{id, stream->log};
    shard.call_owner(id, [name, page = reading->request, reading, home = shard.core()](Shard& owner) {
      find_start(owner, owner.log_at(name), page.from, [&owner, name, page, reading, home](LogStart start) {
        read_part(owner, name, page, start, [&owner, reading, home](Part part) {
          owner.call(home, [reading, part = std::move(part)](Shard&) mutable {
            reading->parts.push_back(std::move(part));
            if (--reading->open == 0) reading->done(merge(std::move(reading->parts), reading->request));
          });
        });
      });
    });
  }
}

}  // namespace arena::broker
