#include "server/api/stream_routes.h"

#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/log.h"
#include "broker/stream/from.h"
#include "broker/stream/stream_reader.h"
#include "codec/json/message_json.h"
#include "codec/json/slices.h"
#include "server/api/paging.h"

namespace arena::server {
namespace {

using broker::StreamConfig;
using Json = nlohmann::ordered_json;

constexpr int kDepthMax = 16;

ApiResponse answer(int status, const Json& body) {
  return {status, body.dump(-1, ' ', false, Json::error_handler_t::replace)};
}

Json json_of(const StreamConfig& config) {
  return {{"name", config.name},
          {"filters", config.filters},
          {"max_age_ms", config.retention.age_ms},
          {"max_bytes", config.retention.bytes},
          {"max_messages", config.retention.messages},
          {"budget_bytes", config.budget_bytes}};
}

Json json_of(const broker::Stream& stream) {
  Json out = json_of(stream.config);
  out["created"] = time_text(stream.created_ms);
  return out;
}

Json json_of(const broker::StreamInfo& info) {
  Json out = json_of(info.stream);
  out["messages"] = info.usage.messages;
  out["bytes"] = info.usage.bytes;
  out["full"] = info.full;
  return out;
}

std::optional<ApiResponse> read_filters(std::string_view value, StreamConfig& config) {
  const auto refused = problem(422, "bad_field", "\"filters\" is a list of topic filters", "/filters");
  if (json_kind(value) != JsonKind::array) return refused;
  config.filters.clear();
  for (const std::string_view filter : json_elements(value)) {
    if (json_kind(filter) != JsonKind::text) return refused;
    config.filters.push_back(json_string(filter));
  }
  return std::nullopt;
}

// 60000.0 is one, too.
std::optional<uint64_t> whole_number(std::string_view value) {
  if (json_kind(value) != JsonKind::number) return std::nullopt;
  if (const auto number = json_unsigned(value)) return *number <= INT64_MAX ? number : std::nullopt;
  const double number = Json::parse(value).get<double>();
  return number >= 0 && number < 0x1p63 && number == std::floor(number) ? std::optional(static_cast<uint64_t>(number)) : std::nullopt;
}

// The field named `key` into the config.
std::optional<ApiResponse> read_field(const std::string& key, std::string_view value, StreamConfig& config) {
  if (key == "filters") return read_filters(value, config);
  if (key == "name") {
    if (json_kind(value) != JsonKind::text) return problem(422, "bad_field", "\"name\" is a text", "/name");
    config.name = json_string(value);
    return std::nullopt;
  }
  uint64_t age_ms = static_cast<uint64_t>(config.retention.age_ms);
  uint64_t* const number = key == "max_age_ms"     ? &age_ms
                           : key == "max_bytes"    ? &config.retention.bytes
                           : key == "max_messages" ? &config.retention.messages
                           : key == "budget_bytes" ? &config.budget_bytes
                                                   : nullptr;
  if (number == nullptr) {
    return problem(422, "unknown_field", fmt::format("there is no field \"{}\": name, filters, max_age_ms, max_bytes, max_messages, budget_bytes", key), "/" + key);
  }
  const std::optional<uint64_t> whole = whole_number(value);
  if (!whole) return problem(422, "bad_field", fmt::format("\"{}\" is a whole number; 0: no such limit", key), "/" + key);
  *number = *whole;
  config.retention.age_ms = static_cast<int64_t>(age_ms);
  return std::nullopt;
}

std::optional<ApiResponse> read_body(const std::string& body, StreamConfig& config) {
  if (const auto fault = json_fault(body, kDepthMax)) return problem(400, "bad_json", "the body: " + *fault);
  if (json_kind(body) != JsonKind::object) return problem(400, "bad_json", "the body is no JSON object");
  for (const auto& [key, value] : json_members(body)) {
    if (auto refused = read_field(key, value, config)) return refused;
  }
  return std::nullopt;
}

ApiResponse no_stream(const std::string& name) {
  return problem(404, "no_stream", "there is no stream \"" + name + "\"");
}

// Why a stream cannot be declared, apart from what only trying shows.
std::optional<ApiResponse> refusal(const broker::Shard& shard, const StreamConfig& config) {
  StreamConfig named = config;
  named.filters = {"x"};
  if (Status good = check(named); !good) return problem(422, "bad_name", good.error().reason, "/name");
  if (Status good = check(config); !good) return problem(422, "bad_filters", good.error().reason, "/filters");
  if (Status admitted = shard.streams().admits(config); !admitted) {
    const bool exists = shard.streams().find(config.name) != nullptr;
    return problem(409, exists ? "stream_exists" : "streams_overlap", admitted.error().reason, exists ? "/name" : "/filters");
  }
  return std::nullopt;
}

// Runs `act` with the registry on its core, and `then` here with what it answered.
template <typename T>
void ask_registry(broker::Shard& shard, UniqueFunction<void(broker::StreamRegistry&, UniqueFunction<void(T)>)> act, UniqueFunction<void(T)> then) {
  shard.with_streams([home = shard.core(), act = std::move(act), then = std::move(then)](broker::StreamRegistry& registry) mutable {
    act(registry, [&registry, home, then = std::move(then)](T result) mutable {
      registry.shard().call(home, [result = std::move(result), then = std::move(then)](broker::Shard&) mutable { then(std::move(result)); });
    });
  });
}

using Infos = std::vector<broker::StreamInfo>;

void ask_infos(broker::Shard& shard, UniqueFunction<void(Infos)> then) {
  ask_registry<Infos>(shard, [](broker::StreamRegistry& registry, UniqueFunction<void(Infos)> done) { registry.list(std::move(done)); },
                      std::move(then));
}

// Creates or edits.
void declare(broker::Shard& shard, StreamConfig config, ApiDone done, int status,
             void (broker::StreamRegistry::*act)(StreamConfig, broker::StreamRegistry::Done<broker::Stream>)) {
  using Declared = Result<broker::Stream>;
  ask_registry<Declared>(
      shard, [act, config = std::move(config)](broker::StreamRegistry& registry, UniqueFunction<void(Declared)> declared) mutable {
        (registry.*act)(std::move(config), std::move(declared));
      },
      [done = std::move(done), status](Declared declared) mutable {
        if (declared) log::info("server", status == 201 ? "a stream was created" : "a stream was changed", {{"stream", declared->config.name}});
        done(declared ? answer(status, json_of(*declared)) : problem(409, "refused", declared.error().reason));
      });
}

void change(broker::Shard& shard, ApiCall call, const char* what, void (broker::StreamRegistry::*act)(std::string, broker::StreamRegistry::Done<Unit>)) {
  if (shard.streams().find(call.name) == nullptr) return call.done(no_stream(call.name));
  ask_registry<Status>(
      shard, [act, name = call.name](broker::StreamRegistry& registry, UniqueFunction<void(Status)> changed) mutable {
        (registry.*act)(std::move(name), std::move(changed));
      },
      [done = std::move(call.done), name = call.name, what](Status changed) mutable {
        if (changed) log::info("server", what, {{"stream", name}});
        done(changed ? answer(200, Json::object()) : problem(409, "refused", changed.error().reason));
      });
}

std::optional<ApiResponse> read_parameter(const std::string& name, const std::string& value, int64_t now_ms, broker::PageRequest& page) {
  if (name == "from") {
    auto from = broker::parse_from(value, now_ms);
    if (!from) return problem(400, "bad_parameter", from.error().reason, "?from");
    page.from = std::move(*from);
    return std::nullopt;
  }
  if (name == "limit") return read_limit(value, page.messages_max);
  if (name == "topic") return read_filter(value, page.filter);
  return unknown_parameter(name, "from, limit, topic");
}

ApiResponse answer_page(const broker::Page& page, const std::optional<Principal>& asker, const access::Policy& policy) {
  std::string items, next;
  for (const broker::PageItem& item : page.items) {
    if (asker && !policy.decide({*asker, {}}, access::Action::subscribe, item.message->topic)) continue;
    items += (items.empty() ? "" : ",") + message_json(*item.message, broker::to_text(item.log, item.offset));
  }
  for (const auto& [log, offset] : page.next) next += (next.empty() ? "" : ",") + broker::to_text(log, offset);
  const std::string gap = page.missing ? fmt::format(",\"gap\":{}", page.missing.json()) : "";
  if (next.empty()) next = "earliest";
  return {200, fmt::format("{{\"items\":[{}],\"next\":\"{}\",\"more\":{}{}}}", items, next, page.more, gap), page.more ? "from=" + next : ""};
}

}  // namespace

void list_streams(broker::Shard& shard, ApiCall call) {
  ask_infos(shard, [done = std::move(call.done)](const Infos& infos) mutable {
    Json items = Json::array();
    for (const broker::StreamInfo& info : infos) items.push_back(json_of(info));
    done(answer(200, {{"items", std::move(items)}}));
  });
}

void show_stream(broker::Shard& shard, ApiCall call) {
  ask_infos(shard, [name = std::move(call.name), done = std::move(call.done)](const Infos& infos) mutable {
    for (const broker::StreamInfo& info : infos) {
      if (info.stream.config.name == name) return done(answer(200, json_of(info)));
    }
    done(no_stream(name));
  });
}

void create_stream(broker::Shard& shard, ApiCall call) {
  StreamConfig config;
  if (auto refused = read_body(call.body, config)) return call.done(std::move(*refused));
  if (auto refused = refusal(shard, config)) return call.done(std::move(*refused));
  declare(shard, std::move(config), std::move(call.done), 201, &broker::StreamRegistry::create);
}

void edit_stream(broker::Shard& shard, ApiCall call) {
  const broker::Stream* stream = shard.streams().find(call.name);
  if (stream == nullptr) return call.done(no_stream(call.name));
  StreamConfig config = stream->config;
  if (auto refused = read_body(call.body, config)) return call.done(std::move(*refused));
  if (config.name != call.name) return call.done(problem(422, "fixed", "a stream keeps its name", "/name"));
  if (config.filters != stream->config.filters) {
    return call.done(problem(422, "fixed", "the filters of a stream cannot be changed: make another stream", "/filters"));
  }
  declare(shard, std::move(config), std::move(call.done), 200, &broker::StreamRegistry::edit);
}

void remove_stream(broker::Shard& shard, ApiCall call) { change(shard, std::move(call), "a stream was removed", &broker::StreamRegistry::remove); }

void purge_stream(broker::Shard& shard, ApiCall call) { change(shard, std::move(call), "a stream was purged", &broker::StreamRegistry::purge); }

void list_messages(broker::Shard& shard, ApiCall call) {
  broker::PageRequest request;
  request.stream = call.name;
  for (const auto& [name, value] : call.query) {
    if (auto refused = read_parameter(name, value, shard.loop().wall_ms(), request)) return call.done(std::move(*refused));
  }
  read_page(shard, std::move(request), [&shard, name = std::move(call.name), asker = std::move(call.asker), done = std::move(call.done)](Result<broker::Page> page) mutable {
    done(page ? answer_page(*page, asker, shard.policy()) : no_stream(name));
  });
}

}  // namespace arena::server
