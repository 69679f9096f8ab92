#include "gateway/http/latest.h"

#include <utility>

#include "broker/retained_reader.h"
#include "gateway/http/door.h"
#include "gateway/http/message_response.h"
#include "gateway/http/publish.h"

namespace arena::gateway::http {
namespace {

std::optional<Fault> read_format(const Exchange& exchange, bool& as_json) {
  arena::http::Parameters parameters;
  if (auto fault = read_parameters(exchange, parameters)) return fault;
  for (const auto& [name, value] : parameters) {
    if (name != "format") return Fault{400, "unknown_parameter", "there is no parameter \"" + name + "\": format", "?" + name};
    if (value != "json" && value != "raw") return Fault{400, "bad_parameter", "\"format\" is raw or json", "?format"};
    as_json = value == "json";
  }
  return std::nullopt;
}

void show(Door& door, broker::Shard& shard, const ExchangeRef& exchange) {
  bool as_json = false;
  if (const auto fault = read_format(*exchange, as_json)) return answer_fault(exchange, *fault);
  if (const auto fault = check_topic(exchange->target, door.options()->messages)) {
    return answer_fault(exchange, {400, "bad_topic", std::string(to_string(*fault)), {}});
  }
  if (!shard.policy().decide({exchange->principal, {}}, access::Action::subscribe, exchange->target)) {
    return answer_fault(exchange, {403, "denied", "you may not subscribe to this topic", {}});
  }
  broker::RetainedRequest request;
  request.filter = exchange->target;
  request.reader = exchange->principal;
  read_retained(shard, std::move(request), [exchange, as_json](const broker::RetainedPage& page) {
    if (page.items.empty()) return answer_fault(exchange, {404, "no_value", "this topic has no last value", {}});
    answer_message(exchange, page.items.front(), as_json);
  });
}

void change(Door& door, Publishers& publishers, const ExchangeRef& exchange, Draft draft) {
  draft.message->retain = true;
  submit(door, publishers, exchange->principal, std::move(draft), [exchange](const Published& published) {
    if (const auto fault = fault_of(published)) return answer_fault(exchange, *fault);
    exchange->answer(json_response(200, receipt_json(published)));
  });
}

void set(Door& door, Publishers& publishers, const ExchangeRef& exchange) {
  Draft draft;
  if (const auto fault = read_message(*exchange, door.options()->messages, draft)) return answer_fault(exchange, *fault);
  if (draft.message->payload.empty()) {
    return answer_fault(exchange, {422, "empty_value", "an empty value is none: DELETE takes the last value away", {}});
  }
  change(door, publishers, exchange, std::move(draft));
}

void take_away(Door& door, Publishers& publishers, const ExchangeRef& exchange) {
  Draft draft;
  if (const auto fault = read_message(*exchange, door.options()->messages, draft)) return answer_fault(exchange, *fault);
  if (!draft.message->payload.empty()) return answer_fault(exchange, {400, "bad_body", "what is deleted has no body", {}});
  change(door, publishers, exchange, std::move(draft));
}

}  // namespace

void add_latest_routes(Door& door, Publishers& publishers) {
  constexpr const char* kPath = "/v1/topics/{topic}/latest";
  door.router().add({"GET", kPath, Access::identified, [&door, &publishers](const ExchangeRef& exchange) { show(door, publishers.shard(), exchange); }});
  door.router().add({"PUT", kPath, Access::identified, [&door, &publishers](const ExchangeRef& exchange) { set(door, publishers, exchange); }});
  door.router().add({"DELETE", kPath, Access::identified, [&door, &publishers](const ExchangeRef& exchange) { take_away(door, publishers, exchange); }});
}

}  // namespace arena::gateway::http
