#include "server/api/retained_routes.h"

#include "broker/retained_reader.h"
#include "codec/json/message_json.h"
#include "server/api/paging.h"

namespace arena::server {
namespace {

std::optional<ApiResponse> read_parameter(const std::string& name, const std::string& value, broker::RetainedRequest& request) {
  if (name == "topic") return read_filter(value, request.filter);
  if (name == "limit") return read_limit(value, request.messages_max);
  if (name == "after") return read_cursor(value, request.after);
  return unknown_parameter(name, "topic, limit, after");
}

}  // namespace

void list_retained(broker::Shard& shard, ApiCall call) {
  broker::RetainedRequest request;
  request.filter = "#";
  request.reader = std::move(call.asker);
  for (const auto& [name, value] : call.query) {
    if (auto refused = read_parameter(name, value, request)) return call.done(std::move(*refused));
  }
  read_retained(shard, std::move(request), [done = std::move(call.done)](const broker::RetainedPage& page) mutable {
    std::string items;
    for (const MessageRef& message : page.items) items += (items.empty() ? "" : ",") + message_json(*message, {});
    done(page_answer(items, page.more, page.items.empty() ? std::string_view() : page.items.back()->topic));
  });
}

}  // namespace arena::server
