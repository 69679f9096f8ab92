#include "gateway/http/cloud_events.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/base64.h"
#include "base/hash.h"
#include "codec/json/slices.h"

namespace arena::gateway::http {
namespace {

constexpr int kDepthMax = 32;
constexpr std::string_view kPrefix = "ce-";
constexpr std::string_view kStructured = "application/cloudevents";
constexpr std::string_view kBatch = "application/cloudevents-batch";

const std::string* find_header(const Extras& extras, std::string_view name) {
  const auto it = std::find_if(extras.headers.begin(), extras.headers.end(), [name](const Header& header) { return header.first == name; });
  return it == extras.headers.end() ? nullptr : &it->second;
}

bool is_name(std::string_view text) {
  return !text.empty() && text.size() <= 64 && std::all_of(text.begin(), text.end(), [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); });
}

// C0, C1 and DEL, which the specification takes out of strings.
bool has_control(std::string_view text) {
  for (std::size_t at = 0; at < text.size(); ++at) {
    const auto byte = static_cast<unsigned char>(text[at]);
    if (byte < 0x20 || byte == 0x7f) return true;
    if (byte == 0xc2 && at + 1 < text.size() && static_cast<unsigned char>(text[at + 1]) < 0xa0) return true;
  }
  return false;
}

Fault control_fault(const std::string& pointer) { return Fault{422, "bad_attribute", "an attribute has no control characters", pointer}; }

std::optional<Fault> add_attribute(const std::string& name, const std::string& value, const std::string& pointer, const MessageLimits& limits, Extras& extras) {
  if (!is_name(name)) return Fault{422, "bad_attribute", "the name of an attribute has lower-case letters and digits alone", pointer};
  if (find_header(extras, name) != nullptr) return Fault{422, "bad_attribute", "there is one value of an attribute", pointer};
  if (has_control(value)) return control_fault(pointer);
  if (name == "specversion" && value != "1.0") return Fault{422, "bad_attribute", "\"specversion\" is 1.0", pointer};
  return add_header(name, value, pointer, limits, extras);
}

// Faults point into JSON, or to fields.
std::optional<Fault> check_required(const Extras& extras, bool is_json) {
  for (const char* name : {"specversion", "id", "source", "type"}) {
    const std::string* value = find_header(extras, name);
    if (value != nullptr && !value->empty()) continue;
    return Fault{422, "bad_attribute", fmt::format("an event has \"{}\"", name), is_json ? fmt::format("/{}", name) : fmt::format("{}{}:", kPrefix, name)};
  }
  return std::nullopt;
}

// "application/json", "application/vnd.x+json", with or without parameters.
bool is_json_type(std::string_view type) {
  type = type.substr(0, type.find(';'));
  return type.ends_with("/json") || type.ends_with("+json");
}

// An event's members that are no attributes; empty: it has none.
struct Data {
  std::string_view as_json;
  std::string_view as_base64;
};

std::optional<Fault> read_data(const Data& data, const Extras& extras, Message& message) {
  if (!data.as_base64.empty()) {
    auto bytes = json_kind(data.as_base64) == JsonKind::text ? base64_decode(json_string(data.as_base64)) : std::nullopt;
    if (!bytes || !data.as_json.empty()) return Fault{422, "bad_field", "\"data_base64\" is base64, and there is no \"data\" then", "/data_base64"};
    message.payload = std::move(*bytes);
  } else if (!data.as_json.empty()) {
    const bool is_text = json_kind(data.as_json) == JsonKind::text && extras.has_content_type && !is_json_type(extras.content_type);
    message.payload = is_text ? json_string(data.as_json) : std::string(data.as_json);
  }
  return std::nullopt;
}

// Of those that the specification names; an extension's may be of other types.
bool is_text_attribute(std::string_view name) {
  constexpr std::array<std::string_view, 8> kNames{"specversion", "id", "source", "type", "datacontenttype", "dataschema", "subject", "time"};
  return std::find(kNames.begin(), kNames.end(), name) != kNames.end();
}

bool is_whole_number(std::string_view value) {
  if (json_kind(value) != JsonKind::number) return false;
  return value.find_first_not_of("-0123456789") == std::string_view::npos;
}

std::optional<Fault> read_attribute(const std::string& name, std::string_view value, const MessageLimits& limits, Extras& extras) {
  const JsonKind kind = json_kind(value);
  if (kind == JsonKind::null) return std::nullopt;
  if (is_text_attribute(name) && kind != JsonKind::text) return Fault{422, "bad_attribute", fmt::format("\"{}\" is a text", name), "/" + name};
  if (kind != JsonKind::text && kind != JsonKind::boolean && !is_whole_number(value)) {
    return Fault{422, "bad_attribute", "an attribute is a text, a whole number or true or false", "/" + name};
  }
  std::string text = kind == JsonKind::text ? json_string(value) : std::string(value);
  if (name != "datacontenttype") return add_attribute(name, text, "/" + name, limits, extras);
  if (has_control(text)) return control_fault("/datacontenttype");
  return set_content_type(std::move(text), "/datacontenttype", extras);
}

std::optional<Fault> read_event(std::string_view event, const MessageLimits& limits, Extras& extras, Message& message) {
  if (json_kind(event) != JsonKind::object) return Fault{422, "bad_item", "an event is a JSON object", {}};
  Data data;
  for (const auto& [name, value] : json_members(event)) {
    if (name == "data") {
      data.as_json = value;
    } else if (name == "data_base64") {
      data.as_base64 = value;
    } else if (auto fault = read_attribute(name, value, limits, extras)) {
      return fault;
    }
  }
  if (auto fault = check_required(extras, true)) return fault;
  if (auto fault = read_data(data, extras, message)) return fault;
  if (!extras.has_content_type && !data.as_json.empty()) {
    extras.has_content_type = true;
    extras.content_type = "application/json";
  }
  return std::nullopt;
}

}  // namespace

EventMode event_mode(const Request& request) {
  const std::string type = arena::http::media_type(request);
  if (type.starts_with(kStructured)) {
    if (!type.ends_with("+json")) return EventMode::unknown;
    return type.starts_with(kBatch) ? EventMode::batch : EventMode::structured;
  }
  return request.field("ce-specversion") != nullptr ? EventMode::binary : EventMode::none;
}

std::optional<Fault> read_event_fields(const Request& request, const MessageLimits& limits, Extras& extras) {
  for (const auto& [name, value] : request.fields) {
    if (!name.starts_with(kPrefix)) continue;
    std::string text;
    if (!arena::http::percent_decode(value, text)) return Fault{422, "bad_attribute", "a % is followed by two hexadecimal digits", name + ":"};
    if (name == "ce-datacontenttype") return Fault{422, "bad_attribute", "what the data is, says Content-Type", name + ":"};
    if (auto fault = add_attribute(name.substr(kPrefix.size()), text, name + ":", limits, extras)) return fault;
  }
  return check_required(extras, false);
}

std::optional<Fault> read_event_body(std::string_view body, const MessageLimits& limits, Extras& extras, Message& message) {
  if (const auto fault = json_fault(body, kDepthMax)) return Fault{400, "bad_json", "the body: " + *fault, {}};
  return read_event(body, limits, extras, message);
}

std::optional<Fault> read_event_batch(std::string_view body, const std::string& topic, std::size_t items_max, const MessageLimits& limits, std::vector<Item>& items) {
  if (const auto fault = json_fault(body, kDepthMax)) return Fault{400, "bad_json", "the body: " + *fault, {}};
  if (json_kind(body) != JsonKind::array) return Fault{400, "bad_json", "the body is no JSON array", {}};
  const std::vector<std::string_view> batch = json_elements(body);
  if (batch.size() > items_max) return too_many(items_max);
  for (const std::string_view event : batch) {
    Item& item = items.emplace_back();
    item.draft.message->topic = topic;
    auto extras = std::make_unique<Extras>();
    item.fault = read_event(event, limits, *extras, *item.draft.message);
    item.draft.message->extras = std::move(extras);
  }
  return std::nullopt;
}

std::string event_key(const Extras& extras) {
  const std::string* source = find_header(extras, "source");
  const std::string* id = find_header(extras, "id");
  if (source == nullptr || id == nullptr || find_header(extras, "specversion") == nullptr) return {};
  const Hash128 hash = hash128(*source + '\0' + *id);
  return fmt::format("event {:016x}{:016x}", hash.high, hash.low);
}

}  // namespace arena::gateway::http
