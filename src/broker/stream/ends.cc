#include "broker/stream/ends.h"

#include <memory>
#include <utility>
#include <vector>

#include "broker/shard.h"
#include "message/topic.h"

namespace arena::broker {

void stream_ends(Shard& shard, std::string filter, UniqueFunction<void(Places)> done) {
  struct Answer {
    Places ends;
    std::size_t open = 0;
    UniqueFunction<void(Places)> done;
  };
  const auto answer = std::make_shared<Answer>();
  answer->done = std::move(done);
  const Placement& placement = shard.placement();
  std::vector<PartitionId> asked;
  for (PartitionId id = 0; id < placement.partitions(); ++id) {
    if (has_wildcard(filter) || placement.partition_of(filter) == id) asked.push_back(id);
  }
  answer->open = asked.size();
  for (const PartitionId partition : asked) {
    shard.call_owner(partition, [partition, filter, answer, home = shard.core()](Shard& owner) {
      Places ends;
      for (const Stream* stream : owner.coming_streams().reached_by(filter)) {
        const LogName name{partition, stream->log};
        ends.emplace_back(name, owner.log_at(name).end());
      }
      owner.call(home, [answer, ends = std::move(ends)](Shard&) {
        answer->ends.insert(answer->ends.end(), ends.begin(), ends.end());
        if (--answer->open == 0) answer->done(std::move(answer->ends));
      });
    });
  }
}

}  // namespace arena::broker
