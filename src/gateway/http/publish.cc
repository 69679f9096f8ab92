#include "gateway/http/publish.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <utility>

#include "base/utf8.h"
#include "broker/stream/from.h"
#include "gateway/http/batch.h"
#include "gateway/http/cloud_events.h"
#include "gateway/http/door.h"

namespace arena::gateway::http {
namespace {

constexpr std::size_t kIdBytesMax = 128;
constexpr uint64_t kExpiryMaxS = UINT32_MAX;
constexpr std::size_t kTimeoutMaxS = 60;

std::optional<Fault> bad_parameter(const std::string& name, std::string detail) { return Fault{400, "bad_parameter", std::move(detail), "?" + name}; }

std::optional<Fault> read_timeout(const std::string& value, int64_t& timeout_ms) {
  std::size_t seconds = 0;
  if (!read_number(value, "s", kTimeoutMaxS, seconds)) return bad_parameter("timeout", "\"timeout\" is a number of seconds from 1 to 60");
  timeout_ms = static_cast<int64_t>(seconds) * 1000;
  return std::nullopt;
}

std::optional<Fault> read_parameter(const std::string& name, const std::string& value, Draft& draft, int64_t* timeout_ms) {
  if (name == "timeout" && timeout_ms != nullptr) return read_timeout(value, *timeout_ms);
  if (name == "retain") {
    if (timeout_ms != nullptr) return bad_parameter(name, "a request is no last value");
    if (value != "true" && value != "false") return bad_parameter(name, "\"retain\" is true or false");
    draft.message->retain = value == "true";
  } else if (name == "guarantee") {
    if (!set_guarantee(value, *draft.message)) return bad_parameter(name, kGuaranteeText);
  } else if (name == "expiry_s") {
    uint64_t number = 0;
    const auto [end, fault] = std::from_chars(value.data(), value.data() + value.size(), number);
    if (fault != std::errc{} || end != value.data() + value.size()) return bad_parameter(name, kExpiryText);
    if (!set_expiry(number, draft)) return bad_parameter(name, kExpiryText);
  } else {
    return Fault{400, "unknown_parameter", "there is no parameter \"" + name + "\": " + (timeout_ms == nullptr ? "retain" : "timeout") + ", expiry_s, guarantee", "?" + name};
  }
  return std::nullopt;
}

// "name=value" of an Arena-Header field; a name alone has no value.
std::optional<Fault> read_header(const std::string& text, const MessageLimits& limits, Extras& extras) {
  const std::size_t equals = text.find('=');
  if (text.empty() || equals == 0) return Fault{400, "bad_header", "Arena-Header is name=value", "arena-header:"};
  const std::string value = equals == std::string::npos ? std::string() : text.substr(equals + 1);
  return add_header(text.substr(0, equals), value, "arena-header:", limits, extras);
}

bool has_header(const Extras& extras, std::string_view name) {
  return std::any_of(extras.headers.begin(), extras.headers.end(), [name](const Header& header) { return header.first == name; });
}

std::optional<Fault> read_fields(const Request& request, EventMode mode, const MessageLimits& limits, Extras& extras, Draft& draft) {
  for (const auto& [name, value] : request.fields) {
    std::optional<Fault> fault;
    if (name == "content-type" && (mode == EventMode::structured || mode == EventMode::batch)) continue;  // what it says is said
    if (name == "content-type" && value != "application/x-www-form-urlencoded") {  // what curl says who was told nothing
      fault = set_content_type(value, "content-type:", extras);
    } else if (name == "arena-header") {
      fault = read_header(value, limits, extras);
    } else if ((name == "traceparent" || name == "tracestate") && !has_header(extras, name)) {  // an event's own goes on
      fault = add_header(name, value, name + ":", limits, extras);
    } else if (name == "idempotency-key") {
      fault = set_id(value, "idempotency-key:", draft);
    } else if (name.starts_with("arena-")) {
      fault = Fault{400, "unknown_header", "fields of a publish that begin with \"Arena-\" are Arena-Header alone", name + ":"};
    }
    if (fault) return fault;
  }
  return std::nullopt;
}

void stamp_expiry(Draft& draft, int64_t wall_ms) {
  if (draft.expiry_s) draft.message->expires_ms = wall_ms + static_cast<int64_t>(*draft.expiry_s) * 1000;
}

// By its source and id, where nothing else tells its repetition and something has to.
std::optional<Fault> know_event(const Extras& extras, Draft& draft) {
  if (draft.key || draft.message->guarantee != Guarantee::exactly_once) return std::nullopt;
  const std::string key = event_key(extras);
  return key.empty() ? std::nullopt : set_id(key, {}, draft);
}

// What the request says of all its events, besides their own.
std::optional<Fault> complete_event(const Draft& common, const MessageLimits& limits, Draft& draft) {
  draft.expiry_s = common.expiry_s;
  draft.message->guarantee = common.message->guarantee;
  draft.message->retain = common.message->retain;
  if (common.message->extras != nullptr) {
    auto extras = std::make_unique<Extras>(*draft.message->extras);
    for (const Header& header : common.message->extras->headers) {
      if (has_header(*draft.message->extras, header.first)) continue;
      if (auto fault = add_header(header.first, header.second, {}, limits, *extras)) return fault;
    }
    draft.message->extras = std::move(extras);
  }
  return know_event(*draft.message->extras, draft);
}

// All to the topic of the path, all as the query and the other fields say.
void publish_events(Door& door, Publishers& publishers, const ExchangeRef& exchange) {
  std::vector<Item> items;
  Draft common;
  if (const auto fault = read_message(*exchange, door.options()->messages, common)) return answer_fault(exchange, *fault);
  if (common.key) return answer_fault(exchange, {400, "bad_id", "a batch has no idempotency key of its own: with exactly_once, its events' sources and ids are", "idempotency-key:"});
  if (const auto fault = read_event_batch(exchange->request.body, exchange->target, door.options()->batch_max, door.options()->messages, items)) {
    if (fault->code == "batch_too_large") door.counters().refuse(Refused::batch_too_large);
    return answer_fault(exchange, *fault);
  }
  for (Item& item : items) {
    if (!item.fault) item.fault = complete_event(common, door.options()->messages, item.draft);
  }
  publish_items(door, publishers, exchange, std::move(items));
}

void publish_one(Door& door, Publishers& publishers, const ExchangeRef& exchange) {
  if (event_mode(exchange->request) == EventMode::batch) return publish_events(door, publishers, exchange);
  Draft draft;
  if (const auto fault = read_message(*exchange, door.options()->messages, draft)) return answer_fault(exchange, *fault);
  submit(door, publishers, exchange->principal, std::move(draft), [exchange](const Published& published) {
    if (const auto fault = fault_of(published)) return answer_fault(exchange, *fault);
    exchange->answer(json_response(200, receipt_json(published)));
  });
}

}  // namespace

void answer_fault(const ExchangeRef& exchange, const Fault& fault) {
  Response response = problem(*exchange, fault.status, fault.code, fault.detail, fault.pointer);
  if (fault.status == 503 || fault.status == 429) response.fields.emplace_back("retry-after", "1");
  exchange->answer(std::move(response));
}

void answer_no_seat(Door& door, const ExchangeRef& exchange, Refused why) {
  door.counters().refuse(why);
  const bool all = why == Refused::event_streams;
  answer_fault(exchange, {all ? 503 : 429, "too_many_followers",
                          all ? "as many wait for messages as http.event_streams_max" : "you wait for messages as often as http.event_streams_per_user_max", {}});
}

bool read_number(std::string_view text, std::string_view unit, std::size_t most, std::size_t& number) {
  if (!unit.empty() && text.ends_with(unit)) text.remove_suffix(unit.size());
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), number);
  return fault == std::errc{} && end == text.data() + text.size() && number >= 1 && number <= most;
}

bool set_guarantee(std::string_view text, Message& message) {
  if (text == "at_most_once") {
    message.guarantee = Guarantee::at_most_once;
  } else if (text == "at_least_once") {
    message.guarantee = Guarantee::at_least_once;
  } else if (text == "exactly_once") {
    message.guarantee = Guarantee::exactly_once;
  } else {
    return false;
  }
  return true;
}

bool set_expiry(uint64_t seconds, Draft& draft) {
  if (seconds == 0 || seconds > kExpiryMaxS) return false;
  draft.expiry_s = seconds;
  return true;
}

std::optional<Fault> set_id(const std::string& id, const std::string& pointer, Draft& draft) {
  if (id.empty() || id.size() > kIdBytesMax || draft.key || !is_utf8_without_nul(id)) {
    return Fault{400, "bad_id", "an idempotency key has 1 to 128 bytes of UTF-8, and there is one of it", pointer};
  }
  draft.key.emplace().id = id;
  return std::nullopt;
}

std::optional<Fault> add_header(const std::string& name, const std::string& value, const std::string& pointer, const MessageLimits& limits, Extras& extras) {
  if (name.starts_with("arena-")) return Fault{422, "reserved_header", "headers that begin with \"arena-\" are the broker's own", pointer};
  if (!is_utf8_without_nul(name) || !is_utf8_without_nul(value) || name.size() > UINT16_MAX || value.size() > UINT16_MAX) {
    return Fault{422, "bad_header", "a header's name and value are up to 65,535 bytes of UTF-8", pointer};
  }
  std::size_t bytes = name.size() + value.size();
  for (const Header& header : extras.headers) bytes += header.first.size() + header.second.size();
  if (extras.headers.size() >= limits.headers_max || bytes > limits.header_bytes_max) {
    return Fault{422, "too_many_headers", fmt::format("a message has up to {} headers (mqtt.user_properties_max), of {} bytes together (mqtt.user_property_bytes_max)",
                                                      limits.headers_max, limits.header_bytes_max), pointer};
  }
  extras.headers.emplace_back(name, value);
  return std::nullopt;
}

std::optional<Fault> set_content_type(std::string type, const std::string& pointer, Extras& extras) {
  if (!is_utf8_without_nul(type) || type.size() > kContentTypeBytesMax) {
    return Fault{422, "bad_content_type", fmt::format("a content type is up to {} bytes of UTF-8", kContentTypeBytesMax), pointer};
  }
  extras.has_content_type = true;
  extras.content_type = std::move(type);
  return std::nullopt;
}

std::optional<Fault> read_parameters(const Exchange& exchange, arena::http::Parameters& parameters, std::string_view repeated) {
  if (!arena::http::read_query(exchange.request.query, parameters)) {
    return Fault{400, "bad_query", "the query has a % that no two hexadecimal digits follow", {}};
  }
  const std::string* twice = arena::http::find_repeated(parameters, repeated);
  if (twice == nullptr) return std::nullopt;
  return bad_parameter(*twice, "\"" + *twice + "\" is said twice");
}

std::optional<Fault> check_draft(const Draft& draft, const MessageLimits& limits, const std::string& topic_pointer) {
  if (const auto fault = check_topic(draft.message->topic, limits)) return Fault{400, "bad_topic", std::string(to_string(*fault)), topic_pointer};
  if (draft.message->guarantee == Guarantee::exactly_once && !draft.key) {
    return Fault{422, "id_needed", "exactly_once needs an idempotency key: by what else would a repetition be known?", {}};
  }
  return std::nullopt;
}

std::optional<Fault> read_message(const Exchange& exchange, const MessageLimits& limits, Draft& draft, int64_t* timeout_ms) {
  draft.message->topic = exchange.target;
  draft.message->guarantee = Guarantee::at_least_once;
  arena::http::Parameters parameters;
  if (auto fault = read_parameters(exchange, parameters)) return fault;
  for (const auto& [name, value] : parameters) {
    if (auto fault = read_parameter(name, value, draft, timeout_ms)) return fault;
  }
  const EventMode mode = event_mode(exchange.request);
  if (mode == EventMode::unknown) return Fault{415, "bad_content_type", "events are JSON: application/cloudevents+json, application/cloudevents-batch+json", "content-type:"};
  auto extras = std::make_unique<Extras>();
  if (mode == EventMode::structured) {
    if (auto fault = read_event_body(exchange.request.body, limits, *extras, *draft.message)) return fault;
  } else if (mode != EventMode::batch) {
    draft.message->payload = exchange.request.body;
  }
  if (mode == EventMode::binary) {
    if (auto fault = read_event_fields(exchange.request, limits, *extras)) return fault;
  }
  if (auto fault = read_fields(exchange.request, mode, limits, *extras, draft)) return fault;
  if (mode != EventMode::none && mode != EventMode::batch) {
    if (auto fault = know_event(*extras, draft)) return fault;
  }
  if (extras->has_content_type || !extras->headers.empty()) draft.message->extras = std::move(extras);
  if (mode != EventMode::batch) return check_draft(draft, limits, {});
  const auto fault = check_topic(draft.message->topic, limits);
  return fault ? std::optional(Fault{400, "bad_topic", std::string(to_string(*fault)), {}}) : std::nullopt;
}

void submit(Door& door, Publishers& publishers, const Principal& principal, Draft draft, Publishers::Done done) {
  if (publishers.shard().congested()) {
    return done({{broker::Outcome::quota, broker::Level::memory, false, std::nullopt}, {}, false});
  }
  stamp_expiry(draft, door.loop().wall_ms());
  door.counters().publishes.add();
  publishers.publish(principal, std::move(draft.message), draft.key ? &*draft.key : nullptr, std::move(done));
}

std::optional<Fault> fault_of(const Published& published) {
  switch (published.receipt.outcome) {
    case broker::Outcome::ok:
    case broker::Outcome::no_match:
      return std::nullopt;
    case broker::Outcome::denied:
      return Fault{403, "denied", "you may not publish to this topic", {}};
    case broker::Outcome::conflict:
    case broker::Outcome::unknown_producer:
      return Fault{422, "id_conflict", "something else was published under this idempotency key", "idempotency-key:"};
    case broker::Outcome::quota:
      if (!published.answered) return Fault{503, "congested", "too much is on its way between the broker's threads: try again", {}};
      return Fault{507, "quota", "a limit of what the broker keeps is reached; nothing was published", {}};
    case broker::Outcome::failed:
      break;
  }
  return Fault{503, "unknown_outcome", "it is not known whether this was published; with an idempotency key it can be repeated", {}};
}

std::string receipt_json(const Published& published) {
  const broker::Receipt& receipt = published.receipt;
  std::string out = "{";
  if (!receipt.duplicate) out += fmt::format("\"id\":\"{:016x}{:016x}\",", published.id.high, published.id.low);
  out += fmt::format("\"level\":\"{}\"", receipt.level == broker::Level::disk ? "disk" : "memory");
  if (receipt.position) out += fmt::format(",\"position\":\"{}\"", broker::to_text({receipt.position->partition, receipt.log}, receipt.position->offset));
  if (receipt.duplicate) out += ",\"duplicate\":true";
  if (receipt.outcome == broker::Outcome::no_match) out += ",\"matched\":false";
  return out + "}";
}

void add_topic_routes(Door& door, Publishers& publishers) {
  door.router().add({"POST", "/v1/publish", Access::identified, [&door, &publishers](const ExchangeRef& exchange) { publish_batch(door, publishers, exchange); }});
  door.router().add({"POST", "/v1/topics/{topic}", Access::identified, [&door, &publishers](const ExchangeRef& exchange) { publish_one(door, publishers, exchange); }});
}

}  // namespace arena::gateway::http
