#include "server/api/client_routes.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/log.h"
#include "broker/session_reader.h"
#include "message/topic.h"
#include "server/api/paging.h"

namespace arena::server {
namespace {

using Json = nlohmann::ordered_json;

constexpr char kBetween = '\0';  // of the two parts of a cursor of subscriptions; no name has it

std::string text_of(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

const char* text_of(Guarantee guarantee) {
  switch (guarantee) {
    case Guarantee::at_most_once: return "at_most_once";
    case Guarantee::at_least_once: return "at_least_once";
    case Guarantee::exactly_once: break;
  }
  return "exactly_once";
}

Json json_of(const broker::SessionInfo& info) {
  Json out = {{"id", cursor_of(info.key)}, {"client_id", info.client_id}};
  out["user"] = info.user.empty() ? Json() : Json(info.user);
  out["connected"] = info.connected;
  if (!info.contact.protocol.empty()) out["protocol"] = info.contact.protocol;
  if (!info.contact.address.empty()) out["address"] = info.contact.address;
  out["expiry_s"] = info.expiry_s == broker::kNever ? Json() : Json(info.expiry_s);
  out["subscriptions"] = info.subscriptions;
  out["queued_bytes"] = info.queued_bytes;
  out["unacknowledged"] = info.unsettled;
  return out;
}

Json json_of(const broker::SubscriptionInfo& info) {
  Json out = {{"session", cursor_of(info.session)}, {"client_id", info.client_id}};
  out["user"] = info.user.empty() ? Json() : Json(info.user);
  out["topic"] = info.filter;
  if (!info.group.empty()) out["group"] = info.group;
  out["guarantee"] = text_of(info.granted);
  if (info.replay) out["replay"] = true;
  return out;
}

std::optional<ApiResponse> read_parameter(const std::string& name, const std::string& value, bool connected_only, broker::SessionRequest& request) {
  if (name == "limit") return read_limit(value, request.sessions_max);
  if (name == "after") return read_cursor(value, request.after);
  if (name == "user") {
    request.user = value;
  } else if (name == "client_id") {
    request.client_id = value;
  } else if (name == "connected" && !connected_only) {
    if (value != "true" && value != "false") return problem(400, "bad_parameter", "\"connected\" is true or false", "?connected");
    request.connected = value == "true";
  } else {
    return unknown_parameter(name, connected_only ? "user, client_id, limit, after" : "connected, user, client_id, limit, after");
  }
  return std::nullopt;
}

template <typename Info, typename Place>
ApiResponse page_of(const std::vector<Info>& infos, std::size_t most, Place place) {
  std::string items;
  const std::size_t shown = std::min(infos.size(), most);
  for (std::size_t i = 0; i < shown; ++i) items += (items.empty() ? "" : ",") + text_of(json_of(infos[i]));
  return page_answer(items, infos.size() > most, shown == 0 ? std::string() : place(infos[shown - 1]));
}

void list(broker::Shard& shard, ApiCall call, bool connected_only) {
  broker::SessionRequest request;
  if (connected_only) request.connected = true;
  for (const auto& [name, value] : call.query) {
    if (auto refused = read_parameter(name, value, connected_only, request)) return call.done(std::move(*refused));
  }
  const std::size_t most = request.sessions_max;
  read_sessions(shard, std::move(request), [most, done = std::move(call.done)](const std::vector<broker::SessionInfo>& infos) mutable {
    done(page_of(infos, most, [](const broker::SessionInfo& info) { return info.key; }));
  });
}

ApiResponse nobody(bool connected_only) {
  return connected_only ? problem(404, "no_client", "no client of that id is connected") : problem(404, "no_session", "there is no session of that id");
}

// The key of the session that the path names; empty: that is no id.
std::string key_in(const ApiCall& call) {
  std::string key;
  if (read_cursor(call.name, key)) return {};
  return key;
}

void show(broker::Shard& shard, ApiCall call, bool connected_only) {
  broker::SessionRequest request;
  request.key = key_in(call);
  if (request.key.empty()) return call.done(nobody(connected_only));
  if (connected_only) request.connected = true;
  read_sessions(shard, std::move(request), [connected_only, done = std::move(call.done)](const std::vector<broker::SessionInfo>& infos) mutable {
    done(infos.empty() ? nobody(connected_only) : ApiResponse{200, text_of(json_of(infos.front()))});
  });
}

void disconnect(broker::Shard& shard, ApiCall call, bool entirely) {
  const std::string key = key_in(call);
  if (key.empty()) return call.done(nobody(!entirely));
  disconnect_session(shard, key, entirely, [id = call.name, entirely, done = std::move(call.done)](bool was_there) mutable {
    if (!was_there) return done(nobody(!entirely));
    log::info("server", entirely ? "a session was ended" : "a client was disconnected", {{"session", id}});
    done({200, "{}"});
  });
}

std::optional<ApiResponse> read_parameter(const std::string& name, const std::string& value, broker::SubscriptionRequest& request) {
  if (name == "limit") return read_limit(value, request.subscriptions_max);
  if (name == "session") {
    if (read_cursor(value, request.session)) return problem(400, "bad_parameter", "\"session\" is the id of one", "?session");
  } else if (name == "topic") {
    if (const auto fault = check_topic(value)) return problem(400, "bad_parameter", to_string(*fault), "?topic");
    request.topic = value;
  } else if (name == "after") {
    std::string place;
    if (auto refused = read_cursor(value, place)) return refused;
    const std::size_t between = place.rfind(kBetween);
    request.after_session = place.substr(0, between);
    if (between != std::string::npos) request.after_name = place.substr(between + 1);
  } else {
    return unknown_parameter(name, "session, topic, limit, after");
  }
  return std::nullopt;
}

}  // namespace

void list_clients(broker::Shard& shard, ApiCall call) { list(shard, std::move(call), true); }
void show_client(broker::Shard& shard, ApiCall call) { show(shard, std::move(call), true); }
void kick_client(broker::Shard& shard, ApiCall call) { disconnect(shard, std::move(call), false); }
void list_sessions(broker::Shard& shard, ApiCall call) { list(shard, std::move(call), false); }
void show_session(broker::Shard& shard, ApiCall call) { show(shard, std::move(call), false); }
void end_session(broker::Shard& shard, ApiCall call) { disconnect(shard, std::move(call), true); }

void list_subscriptions(broker::Shard& shard, ApiCall call) {
  broker::SubscriptionRequest request;
  for (const auto& [name, value] : call.query) {
    if (auto refused = read_parameter(name, value, request)) return call.done(std::move(*refused));
  }
  const std::size_t most = request.subscriptions_max;
  read_subscriptions(shard, std::move(request), [most, done = std::move(call.done)](const std::vector<broker::SubscriptionInfo>& infos) mutable {
    done(page_of(infos, most, [](const broker::SubscriptionInfo& info) { return info.session + kBetween + info.name; }));
  });
}

}  // namespace arena::server
