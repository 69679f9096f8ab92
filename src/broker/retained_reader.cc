#include "broker/retained_reader.h"

#include <utility>

#include "broker/gather.h"

namespace arena::broker {
namespace {

bool comes_before(const MessageRef& a, const MessageRef& b) { return a->topic < b->topic; }

bool may_see(const access::Policy& policy, const RetainedRequest& request, const Message& message) {
  if (!request.reader) return true;
  const bool stands = message.publisher == 0 || policy.may_still_publish({request.reader->space, message.principal}, message.topic);
  return stands && policy.decide({*request.reader, {}}, access::Action::subscribe, message.topic).allowed();
}

// Of those owned here.
std::vector<MessageRef> first_of(Shard& owner, const RetainedRequest& request) {
  FirstOf<MessageRef> first(request.messages_max + 1, comes_before);
  const int64_t now_ms = owner.loop().wall_ms();
  owner.retained().match(request.filter, [&](const MessageRef& message) {
    if (message->topic <= request.after || message->payload.empty() || message->expired(now_ms)) return;
    if (first.would_keep(message) && may_see(owner.policy(), request, *message)) first.add(message);
  });
  return first.take();
}

RetainedPage page_of(std::vector<MessageRef> found, const RetainedRequest& request) {
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
  gather<MessageRef>(shard, shard.owners_of(request.filter), [request](Shard& owner) { return first_of(owner, request); }, comes_before,
                     [request, done = std::move(done)](std::vector<MessageRef> found) mutable { done(page_of(std::move(found), request)); });
}

}  // namespace arena::broker
