#include "broker/session_reader.h"

#include <tuple>
#include <utility>

#include "broker/gather.h"
#include "message/topic.h"

namespace arena::broker {
namespace {

using Found = const Session*;

bool key_before(const Found& a, const Found& b) { return a->key() < b->key(); }
bool info_before(const SessionInfo& a, const SessionInfo& b) { return a.key < b.key; }
bool subscription_before(const SubscriptionInfo& a, const SubscriptionInfo& b) { return std::tie(a.session, a.name) < std::tie(b.session, b.name); }

bool fits(const Session& session, const SessionRequest& request) {
  if (!request.key.empty() && session.key() != request.key) return false;
  if (session.key() <= request.after) return false;
  if (request.connected && session.connected() != *request.connected) return false;
  if (request.user && session.principal().name != *request.user) return false;
  return !request.client_id || session.client_id() == *request.client_id;
}

SessionInfo info_of(const Session& session) {
  SessionInfo info;
  info.key = session.key();
  info.user = session.principal().name;
  info.client_id = session.client_id();
  info.connected = session.connected();
  info.contact = session.contact();
  info.expiry_s = session.expiry_s();
  info.subscriptions = session.subscription_count();
  info.queued_bytes = session.queued_bytes();
  info.unsettled = session.unsettled();
  return info;
}

std::vector<SessionInfo> sessions_here(Shard& shard, const SessionRequest& request) {
  FirstOf<Found> first(request.sessions_max + 1, key_before);
  shard.each_session([&](const Session& session) {
    if (fits(session, request)) first.add(&session);
  });
  std::vector<SessionInfo> infos;
  for (const Found found : first.take()) infos.push_back(info_of(*found));
  return infos;
}

void add_subscriptions(const Session& session, const SubscriptionRequest& request, FirstOf<SubscriptionInfo>& first) {
  session.each_subscription([&](const Subscription& subscription, std::string_view name) {
    const SubscribeRequest& wish = subscription.request;
    if (session.key() == request.after_session && name <= request.after_name) return;
    if (!request.topic.empty() && !filter_matches(wish.filter, request.topic)) return;
    first.add({std::string(session.key()), std::string(session.principal().name), std::string(session.client_id()), std::string(name), std::string(wish.group),
               std::string(wish.filter), wish.granted, subscription.replay});
  });
}

std::vector<SubscriptionInfo> subscriptions_here(Shard& shard, const SubscriptionRequest& request) {
  FirstOf<SubscriptionInfo> first(request.subscriptions_max + 1, subscription_before);
  shard.each_session([&](const Session& session) {
    if (session.key() < request.after_session || (!request.session.empty() && session.key() != request.session)) return;
    add_subscriptions(session, request, first);
  });
  return first.take();
}

// The core where a session of that key would be, or all.
std::vector<unsigned> cores_for(const Shard& shard, const std::string& key) {
  if (!key.empty()) return {shard.home_core(key)};
  std::vector<unsigned> cores;
  for (unsigned core = 0; core < shard.cores(); ++core) cores.push_back(core);
  return cores;
}

}  // namespace

void read_sessions(Shard& shard, SessionRequest request, UniqueFunction<void(std::vector<SessionInfo>)> done) {
  const std::vector<unsigned> cores = cores_for(shard, request.key);
  gather<SessionInfo>(shard, cores, [request = std::move(request)](Shard& there) { return sessions_here(there, request); }, info_before, std::move(done));
}

void read_subscriptions(Shard& shard, SubscriptionRequest request, UniqueFunction<void(std::vector<SubscriptionInfo>)> done) {
  const std::vector<unsigned> cores = cores_for(shard, request.session);
  gather<SubscriptionInfo>(shard, cores, [request = std::move(request)](Shard& there) { return subscriptions_here(there, request); }, subscription_before, std::move(done));
}

void disconnect_session(Shard& shard, std::string key, bool entirely, UniqueFunction<void(bool)> done) {
  const unsigned home = shard.home_core(key);
  shard.call(home, [key = std::move(key), entirely, from = shard.core(), done = std::move(done)](Shard& there) mutable {
    const bool was_there = entirely ? there.end_session(key) : there.kick(key);
    there.call(from, [was_there, done = std::move(done)](Shard&) mutable { done(was_there); });
  });
}

}  // namespace arena::broker
