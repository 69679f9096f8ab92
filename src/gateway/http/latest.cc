#include "gateway/http/latest.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "broker/retained_reader.h"
#include "codec/json/message_json.h"
#include "gateway/http/door.h"
#include "gateway/http/publish.h"

namespace arena::gateway::http {
namespace {

// May it stand in a field of an answer as it is? Whoever published it chose it.
bool is_plain(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c < 0x7f; });
}

// The payload as it was published. What of the message no field can say is in its JSON alone.
Response as_published(const Message& message) {
  Response response{200, {}, message.payload};
  const Extras* extras = message.extras.get();
  const bool has_type = extras != nullptr && extras->has_content_type && !extras->content_type.empty() && is_plain(extras->content_type);
  response.fields.emplace_back("content-type", has_type ? extras->content_type : "application/octet-stream");
  response.fields.emplace_back("arena-id", fmt::format("{:016x}{:016x}", message.id.high, message.id.low));
  response.fields.emplace_back("arena-time", time_text(message.published_ms));
  if (extras == nullptr) return response;
  for (const auto& [name, value] : extras->headers) {
    if (is_plain(name) && is_plain(value) && name.find('=') == std::string::npos) response.fields.emplace_back("arena-header", name + "=" + value);
  }
  return response;
}

std::optional<Fault> read_format(const Exchange& exchange, bool& as_json) {
  arena::http::Parameters parameters;
  if (!arena::http::read_query(exchange.request.query, parameters)) {
    return Fault{400, "bad_query", "the query has a % that no two hexadecimal digits follow", {}};
  }
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
  if (const auto fault = check_topic(exchange->target, door.options()->topics)) {
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
    const Message& message = *page.items.front();
    exchange->answer(as_json ? json_response(200, message_json(message, {})) : as_published(message));
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
  if (const auto fault = read_message(*exchange, door.options()->topics, draft)) return answer_fault(exchange, *fault);
  if (draft.message->payload.empty()) {
    return answer_fault(exchange, {422, "empty_value", "an empty value is none: DELETE takes the last value away", {}});
  }
  change(door, publishers, exchange, std::move(draft));
}

void take_away(Door& door, Publishers& publishers, const ExchangeRef& exchange) {
  Draft draft;
  if (const auto fault = read_message(*exchange, door.options()->topics, draft)) return answer_fault(exchange, *fault);
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
