#include "broker/retained_reader.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "broker/shard.h"

namespace arena::broker {
namespace {

bool comes_before(const MessageRef& a, const MessageRef& b) { return a->topic < b->topic; }

bool may_see(const access::Policy& policy, const RetainedRequest& request, const Message& message) {
  if (!request.reader) return true;
  const bool stands = message.publisher == 0 || policy.may_still_publish({request.reader->space, message.principal}, message.topic);
  return stands && policy.decide({*request.reader, {}}, access::Action::subscribe, message.topic).allowed();
}

// Of those owned here the first ones, one more than a page holds.
std::vector<MessageRef> first_of(Shard& owner, const RetainedRequest& request) {
  std::vector<MessageRef> kept;  // a heap, the last one of them on top
  const std::size_t most = request.messages_max + 1;
  const int64_t now_ms = owner.loop().wall_ms();
  owner.retained().match(request.filter, [&](const MessageRef& message) {
    if (message->topic <= request.after || message->payload.empty() || message->expired(now_ms)) return;
    if (kept.size() == most && !comes_before(message, kept.front())) return;
    if (!may_see(owner.policy(), request, *message)) return;
    kept.push_back(message);
    std::push_heap(kept.begin(), kept.end(), comes_before);
    if (kept.size() <= most) return;
    std::pop_heap(kept.begin(), kept.end(), comes_before);
    kept.pop_back();
  });
  return kept;
}

RetainedPage page_of(std::vector<MessageRef> found, const RetainedRequest& request) {
  std::sort(found.begin(), found.end(), comes_before);
  RetainedPage page;
  std::size_t bytes = 0;
  for (MessageRef& message : found) {
    if (page.items.size() == request.messages_max || bytes >= request.bytes_max) {
      page.more = true;
      break;
    }
    bytes += message->accounted_bytes();
    page.items.push_back(std::move(message));
  }
  return page;
}

}  // namespace

void read_retained(Shard& shard, RetainedRequest request, UniqueFunction<void(RetainedPage)> done) {
  struct Reading {
    RetainedRequest request;
    std::vector<MessageRef> found;
    std::size_t open = 0;
    UniqueFunction<void(RetainedPage)> done;
  };
  const std::vector<unsigned> owners = shard.owners_of(request.filter);
  const auto reading = std::make_shared<Reading>(Reading{std::move(request), {}, owners.size(), std::move(done)});
  for (const unsigned owner : owners) {
    shard.call(owner, [reading, home = shard.core()](Shard& there) {
      there.call(home, [reading, found = first_of(there, reading->request)](Shard&) mutable {
        std::move(found.begin(), found.end(), std::back_inserter(reading->found));
        if (--reading->open == 0) reading->done(page_of(std::move(reading->found), reading->request));
      });
    });
  }
}

}  // namespace arena::broker
