#include "gateway/http/batch.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/base64.h"
#include "codec/json/slices.h"
#include "gateway/http/door.h"

namespace arena::gateway::http {
namespace {

constexpr int kDepthMax = 32;
constexpr const char* kKnown = "topic, payload, encoding, content_type, headers, id, retain, expiry_s, guarantee";

std::optional<Fault> bad_field(const std::string& key, std::string detail) { return Fault{422, "bad_field", std::move(detail), "/" + key}; }

std::optional<Fault> read_headers(std::string_view value, const MessageLimits& limits, Extras& extras) {
  if (json_kind(value) != JsonKind::object) return bad_field("headers", "\"headers\" is an object of texts, or of lists of texts");
  for (const auto& [name, one] : json_members(value)) {
    const bool is_list = json_kind(one) == JsonKind::array;
    for (const std::string_view text : is_list ? json_elements(one) : std::vector{one}) {
      if (json_kind(text) != JsonKind::text) return bad_field("headers/" + name, "a header is a text, or a list of texts");
      if (auto fault = add_header(name, json_string(text), "/headers/" + name, limits, extras)) return fault;
    }
  }
  return std::nullopt;
}

std::optional<Fault> read_text_field(const std::string& key, std::string_view value, Extras& extras, Draft& draft) {
  if (json_kind(value) != JsonKind::text) return bad_field(key, "\"" + key + "\" is a text");
  std::string text = json_string(value);
  if (key == "topic") {
    draft.message->topic = std::move(text);
  } else if (key == "id") {
    return set_id(text, "/id", draft);
  } else if (key == "guarantee") {
    if (!set_guarantee(text, *draft.message)) return bad_field(key, kGuaranteeText);
  } else if (key == "content_type") {
    return set_content_type(std::move(text), "/content_type", extras);
  } else if (text != "base64") {
    return bad_field(key, "\"encoding\" is base64, or left out");
  }
  return std::nullopt;
}

std::optional<Fault> read_field(const std::string& key, std::string_view value, const MessageLimits& limits, Extras& extras, Draft& draft) {
  if (key == "payload") return std::nullopt;  // when all else is known
  if (key == "topic" || key == "id" || key == "guarantee" || key == "content_type" || key == "encoding") {
    return read_text_field(key, value, extras, draft);
  }
  if (key == "headers") return read_headers(value, limits, extras);
  if (key == "retain") {
    if (json_kind(value) != JsonKind::boolean) return bad_field(key, "\"retain\" is true or false");
    draft.message->retain = value == "true";
    return std::nullopt;
  }
  if (key == "expiry_s") {
    const std::optional<uint64_t> seconds = json_unsigned(value);
    return seconds && set_expiry(*seconds, draft) ? std::nullopt : bad_field(key, kExpiryText);
  }
  return Fault{422, "unknown_field", fmt::format("there is no field \"{}\": {}", key, kKnown), "/" + key};
}

// A text is the payload itself, anything else is JSON, as it stands.
std::optional<Fault> read_payload(std::string_view payload, bool encoded, Extras& extras, Message& message) {
  if (payload.empty()) return encoded ? bad_field("payload", "there is an encoding, and no payload") : std::nullopt;
  const bool is_text = json_kind(payload) == JsonKind::text;
  if (is_text && encoded) {
    auto bytes = base64_decode(json_string(payload));
    if (!bytes) return bad_field("payload", "\"payload\" is not base64");
    message.payload = std::move(*bytes);
  } else if (is_text) {
    message.payload = json_string(payload);
  } else if (encoded) {
    return bad_field("payload", "what is base64 is a text");
  } else {
    message.payload = payload;
    if (!extras.has_content_type) {
      extras.has_content_type = true;
      extras.content_type = "application/json";
    }
  }
  return std::nullopt;
}

std::optional<Fault> read_item(std::string_view json, const MessageLimits& limits, Draft& draft) {
  if (json_kind(json) != JsonKind::object) return Fault{422, "bad_item", "an item of a batch is a JSON object", {}};
  draft.message->guarantee = Guarantee::at_least_once;
  auto extras = std::make_unique<Extras>();
  std::string_view payload;
  bool encoded = false;
  for (const auto& [key, value] : json_members(json)) {
    if (auto fault = read_field(key, value, limits, *extras, draft)) return fault;
    if (key == "payload") payload = value;
    encoded |= key == "encoding";
  }
  if (auto fault = read_payload(payload, encoded, *extras, *draft.message)) return fault;
  if (extras->has_content_type || !extras->headers.empty()) draft.message->extras = std::move(extras);
  if (draft.message->topic.empty()) return bad_field("topic", "an item has a topic");
  return check_draft(draft, limits, "/topic");
}

// Results as they come, until all are there.
struct Batch {
  ExchangeRef exchange;
  std::vector<std::string> results;
  std::size_t open = 0;
  std::size_t failed = 0;

  void settle(std::size_t at, const std::optional<Fault>& fault, const Published* published) {
    if (fault) {
      ++failed;
      nlohmann::ordered_json result = {{"status", fault->status}, {"code", fault->code}, {"detail", fault->detail}};
      if (fault->pointer.starts_with('/')) result["pointer"] = fault->pointer;
      results[at] = result.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    } else {
      results[at] = "{\"status\":200," + receipt_json(*published).substr(1);
    }
    if (--open != 0) return;
    std::string body = fmt::format("{{\"failed\":{},\"results\":[", failed);
    for (const std::string& result : results) body += (body.back() == '[' ? "" : ",") + result;
    exchange->answer(json_response(200, body + "]}"));
  }
};

}  // namespace

std::optional<Fault> too_many(std::size_t items_max) {
  return Fault{413, "batch_too_large", fmt::format("a batch has up to {} messages (http.batch_max)", items_max), {}};
}

std::optional<Fault> read_batch(std::string_view body, bool one_a_line, std::size_t items_max, const MessageLimits& limits, std::vector<Item>& items) {
  if (one_a_line) {
    while (!body.empty()) {
      const std::size_t end = std::min(body.find('\n'), body.size());
      const std::string_view line = body.substr(0, end);
      body.remove_prefix(std::min(end + 1, body.size()));
      if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
      if (items.size() == items_max) return too_many(items_max);
      Item& item = items.emplace_back();
      const std::optional<std::string> fault = json_fault(line, kDepthMax);
      item.fault = fault ? Fault{400, "bad_json", "the line: " + *fault, {}} : read_item(line, limits, item.draft);
    }
    return std::nullopt;
  }
  if (const auto fault = json_fault(body, kDepthMax)) {
    return Fault{400, "bad_json", "the body is no JSON array (of NDJSON say so: Content-Type: application/x-ndjson): " + *fault, {}};
  }
  if (json_kind(body) != JsonKind::array) return Fault{400, "bad_json", "the body is no JSON array", {}};
  const std::vector<std::string_view> list = json_elements(body);
  if (list.size() > items_max) return too_many(items_max);
  for (const std::string_view one : list) {
    Item& item = items.emplace_back();
    item.fault = read_item(one, limits, item.draft);
  }
  return std::nullopt;
}

void publish_items(Door& door, Publishers& publishers, const ExchangeRef& exchange, std::vector<Item> items) {
  if (items.empty()) return exchange->answer(json_response(200, "{\"failed\":0,\"results\":[]}"));
  auto batch = std::make_shared<Batch>();
  batch->exchange = exchange;
  batch->results.resize(items.size());
  batch->open = items.size();
  for (std::size_t at = 0; at < items.size(); ++at) {
    if (items[at].fault) {
      batch->settle(at, items[at].fault, nullptr);
      continue;
    }
    submit(door, publishers, exchange->principal, std::move(items[at].draft),
           [batch, at](const Published& published) { batch->settle(at, fault_of(published), &published); });
  }
}

void publish_batch(Door& door, Publishers& publishers, const ExchangeRef& exchange) {
  const std::string type = arena::http::media_type(exchange->request);
  const bool one_a_line = type == "application/x-ndjson" || type == "application/jsonl";
  std::vector<Item> items;
  if (!exchange->request.query.empty()) return answer_fault(exchange, {400, "unknown_parameter", "a batch says all in its items", {}});
  if (const auto fault = read_batch(exchange->request.body, one_a_line, door.options()->batch_max, door.options()->messages, items)) {
    if (fault->code == "batch_too_large") door.counters().refuse(Refused::batch_too_large);
    return answer_fault(exchange, *fault);
  }
  publish_items(door, publishers, exchange, std::move(items));
}

}  // namespace arena::gateway::http
