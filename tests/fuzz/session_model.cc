#include "session_model.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "naive_topics.h"

namespace arena::fuzz {

namespace am = arena::mqtt;

namespace {

// Near enough to a deadline that the broker's clock and this one may differ.
constexpr int64_t kDoubtMs = 3000;

bool is_shared_topic(std::string_view topic) {
  return topic.starts_with("s/");
}

std::vector<uint32_t> sorted(std::vector<uint32_t> ids) {
  std::sort(ids.begin(), ids.end());
  return ids;
}

}  // namespace

// ---- sessions

bool SessionModel::connect(std::size_t client, const ConnectChoice& choice, int64_t now_ms) {
  ModelSession& session = sessions[client];
  if (session.connected) detach(client, Leaving::abruptly, std::nullopt, now_ms);
  if (session.exists && choice.clean) end(client);
  const bool present = session.exists;
  if (!present) {
    ++session.incarnation;
    session.exists = true;
  }
  session.connected = true;
  ++session.connection;
  session.expiry_s = choice.expiry_s;
  session.will = choice.will;
  session.will_due_ms = session.expires_ms = 0;
  return present;
}

void SessionModel::detach(std::size_t client, Leaving how, std::optional<uint32_t> expiry_s, int64_t now_ms) {
  ModelSession& session = sessions[client];
  session.connected = false;
  if (expiry_s) session.expiry_s = *expiry_s;
  if (how == Leaving::politely) session.will.reset();
  if (session.member) loosen_group();
  std::erase_if(session.dues, [](const Due& due) {
    return due.qos == k0 && due.stage == Due::Stage::unseen && !due.snapshot;
  });
  for (Due& due : session.dues) {
    if (due.stage != Due::Stage::unseen) continue;
    due.loose = true;
    // Last values that still wait behind a full window may go with the session or come when it is back.
    due.optional = due.optional || (due.qos == k0 && due.snapshot);
  }
  if (session.expiry_s == 0) return end(client);
  session.expires_ms = session.expiry_s == kForGood ? INT64_MAX : now_ms + int64_t{session.expiry_s} * 1000;
  if (!session.will) return;
  session.will_due_ms = std::min(now_ms + int64_t{session.will->delay_s} * 1000, session.expires_ms);
  if (session.will->delay_s == 0) publish(std::exchange(session.will, std::nullopt)->message);
}

void SessionModel::end(std::size_t client) {
  ModelSession& session = sessions[client];
  std::optional<ModelWill> will = std::exchange(session.will, std::nullopt);
  const uint64_t incarnation = session.incarnation;
  const uint32_t connection = session.connection;
  session = ModelSession{};
  session.incarnation = incarnation;
  session.connection = connection;
  if (will) publish(will->message);
}

bool SessionModel::advance(int64_t now_ms) {
  for (;;) {
    std::size_t first = sessions.size();
    int64_t due_ms = INT64_MAX;
    for (std::size_t i = 0; i < sessions.size(); ++i) {
      const ModelSession& session = sessions[i];
      if (!session.exists || session.connected) continue;
      const int64_t own =
          session.will ? std::min(session.will_due_ms, session.expires_ms) : session.expires_ms;
      if (own < due_ms) {
        due_ms = own;
        first = i;
      }
    }
    if (first == sessions.size() || due_ms > now_ms + kDoubtMs) return true;
    if (due_ms > now_ms - kDoubtMs) return false;
    ModelSession& session = sessions[first];
    if (session.will && session.will_due_ms < session.expires_ms) {
      publish(std::exchange(session.will, std::nullopt)->message);
    } else {
      end(first);
    }
  }
}

// ---- messages

void SessionModel::publish(const ModelMessage& message) {
  if (message.retain) {
    if (message.payload.empty()) {
      retained.erase(message.topic);
    } else {
      retained[message.topic] = message;
    }
  }
  if (is_shared_topic(message.topic)) {
    const bool owed =
        std::ranges::any_of(sessions, [](const ModelSession& session) { return session.member; });
    shared_.push_back({message.payload, owed, 0});
    return;
  }
  for (std::size_t client = 0; client < sessions.size(); ++client) owe(client, message);
}

void SessionModel::owe(std::size_t client, const ModelMessage& message) {
  ModelSession& session = sessions[client];
  Due due;
  due.message = message;
  bool matched = false, durable = false, recorded = false;
  for (const auto& [filter, subscription] : session.subscriptions) {
    if (!matches(filter, message.topic)) continue;
    const Guarantee qos = std::min(message.qos, subscription.granted);
    recorded = recorded || (subscription.durable && qos != k0);
    if (subscription.no_local && message.publisher == client) continue;
    matched = true;
    durable = durable || (subscription.durable && qos != k0);
    due.qos = std::max(due.qos, qos);
    due.retain = due.retain || (subscription.keep_flag && message.retain);
    if (subscription.id != 0) due.ids.push_back(subscription.id);
  }
  // A will to its own session falls between two connections.
  const bool own_will = message.payload.starts_with("will") && message.publisher == client;
  const bool owed = matched && may_read(message.topic) && (session.connected || durable);
  if (!owed) {
    // What was withheld from a session is in its part of the log all the same, and may come when it is back
    // and nothing forbids it any more.
    if (!recorded && !own_will) return;
    due.optional = due.loose = true;
    due.qos = message.qos;
  }
  due.ids = sorted(std::move(due.ids));
  due.loose = due.loose || !session.connected;
  if (own_will) due.optional = due.loose = true;
  // Nothing tells it from one before it that may come or not: it may be taken for that one.
  const auto looks_alike = [&](const Due& other) {
    return other.optional && other.stage == Due::Stage::unseen && other.message.topic == message.topic && other.message.payload.empty();
  };
  if (message.payload.empty() && std::ranges::any_of(session.dues, looks_alike)) due.optional = due.loose = true;
  session.dues.push_back(std::move(due));
}

bool SessionModel::subscribe(std::size_t client, const std::string& filter, ModelSubscription subscription,
                             int retain_handling) {
  if (forbidden_ && covers(split("b/#"), split(filter))) return false;
  ModelSession& session = sessions[client];
  const bool fresh = !session.subscriptions.contains(filter);
  subscription.durable = session.expiry_s != 0 && subscription.granted != k0;
  doubt(session, filter);
  session.subscriptions[filter] = subscription;
  if (retain_handling == 2 || (retain_handling == 1 && !fresh)) return true;
  for (const auto& [topic, message] : retained) {
    if (!matches(filter, topic) || is_shared_topic(topic)) continue;
    Due due;
    due.message = message;
    due.qos = std::min(message.qos, subscription.granted);
    due.retain = due.snapshot = true;
    if (subscription.id != 0) due.ids = {subscription.id};
    // Forbidden ones may still come, when they have waited until nothing forbids them any more.
    due.loose = !may_read(topic);
    due.optional = due.loose || (subscription.no_local && message.publisher == client);
    session.dues.push_back(std::move(due));
  }
  return true;
}

// A subscription that concerns them has come, changed or gone: what waits may come otherwise, or not.
void SessionModel::doubt(ModelSession& session, const std::string& filter) {
  for (Due& due : session.dues) {
    if (due.stage == Due::Stage::unseen && matches(filter, due.message.topic))
      due.loose = due.optional = true;
  }
}

bool SessionModel::unsubscribe(std::size_t client, const std::string& filter) {
  doubt(sessions[client], filter);
  return sessions[client].subscriptions.erase(filter) > 0;
}

void SessionModel::join_group(std::size_t client) {
  sessions[client].member = true;
}

bool SessionModel::leave_group(std::size_t client) {
  loosen_group();
  return std::exchange(sessions[client].member, false);
}

void SessionModel::forbid(bool forbidden) {
  forbidden_ = forbidden;
  for (ModelSession& session : sessions) doubt(session, "b/#");
}

// ---- what arrives

// Of several that look alike (those that erase a retained message have no payload to tell them apart) the one
// that fits best: sent before under this id, else the first unseen one that must come as it did, else one
// that may; of these rather one that nothing must come before.
Due* SessionModel::find(ModelSession& session, const am::Publish& packet) {
  const auto same = [&](const Due& due) {
    return due.message.topic == packet.topic && due.message.payload == packet.payload &&
           due.stage != Due::Stage::done;
  };
  for (Due& due : session.dues) {
    if (same(due) && due.stage != Due::Stage::unseen && due.packet_id == packet.packet_id && packet.qos != k0)
      return &due;
  }
  const std::vector<uint32_t> ids = sorted(packet.properties.subscription_identifiers);
  enum Fit { must_come, may_come, may_come_so, none };
  Due* best = nullptr;
  int least = none * 2;
  for (Due& due : session.dues) {
    if (!same(due) || due.stage != Due::Stage::unseen) continue;
    const bool exact = due.qos == packet.qos && due.retain == packet.retain && due.ids == ids;
    const Fit fit = exact && !due.optional ? must_come : exact ? may_come : due.loose ? may_come_so : none;
    if (fit == none) continue;
    const int worse = fit + (overtakes(session, due, packet) ? none : 0);
    if (worse < least) {
      best = &due;
      least = worse;
    }
  }
  return best;
}

// Would one of its topic that must come before it be overtaken?
bool SessionModel::overtakes(const ModelSession& session, const Due& due, const am::Publish& packet) {
  if (packet.qos == k0 || due.snapshot) return false;
  for (const Due& earlier : session.dues) {
    if (&earlier == &due) break;
    if (earlier.stage == Due::Stage::unseen && !earlier.optional && !earlier.snapshot && earlier.qos != k0 &&
        earlier.message.topic == due.message.topic) {
      return true;
    }
  }
  return false;
}

// What is known of the message that came, for whoever has to find out why it should not have.
std::string SessionModel::near(const ModelSession& session, const am::Publish& packet) {
  std::string out = fmt::format(" with ids {}", fmt::join(packet.properties.subscription_identifiers, ","));
  for (const Due& due : session.dues) {
    if (due.message.topic != packet.topic || due.message.payload != packet.payload) continue;
    out += fmt::format("; known: QoS {}, retain {}, ids {}{}{}{}, stage {}", static_cast<int>(due.qos), due.retain,
                       fmt::join(due.ids, ","), due.loose ? ", loose" : "", due.optional ? ", optional" : "",
                       due.snapshot ? ", snapshot" : "", static_cast<int>(due.stage));
  }
  return out;
}

bool SessionModel::received(std::size_t client, const am::Publish& packet, std::string& why) {
  const auto wrong = [&](const std::string& what) {
    why = fmt::format("client {}: {} ({})", client, what, am::describe(packet));
    return false;
  };
  if (is_shared_topic(packet.topic)) return received_shared(client, packet, why);
  ModelSession& session = sessions[client];
  Due* due = find(session, packet);
  if (due == nullptr) return wrong("this is not owed" + near(session, packet));
  if (due->loose ? packet.qos > due->message.qos : packet.qos != due->qos) return wrong("the wrong QoS");
  if (!due->loose && packet.retain != due->retain) return wrong("the wrong retain flag");
  if (due->stage == Due::Stage::released) return wrong("again after PUBREC");
  const bool again = due->stage == Due::Stage::seen;
  if (again && due->connection == session.connection) return wrong("twice on one connection");
  if (packet.dup != again) return wrong(again ? "again without DUP" : "DUP at the first time");
  if (!again && overtakes(session, *due, packet))
    return wrong("before an earlier one of its topic" + near(session, packet));
  due->stage = packet.qos == k0 ? Due::Stage::done : Due::Stage::seen;
  due->qos = packet.qos;
  due->packet_id = packet.packet_id;
  due->connection = session.connection;
  return true;
}

bool SessionModel::received_shared(std::size_t client, const am::Publish& packet, std::string& why) {
  const auto same = [&](const Shared& one) { return one.payload == packet.payload; };
  const auto found = std::ranges::find_if(shared_, same);
  const bool member = sessions[client].member || group_is_loose_;
  if (found == shared_.end() || !member || (found->came > 0 && !group_is_loose_)) {
    why = fmt::format("client {}: this is not owed to it by the group ({})", client, am::describe(packet));
    return false;
  }
  ++found->came;
  return true;
}

std::string SessionModel::missing(std::size_t client, bool room) const {
  // Without room for QoS 1 and 2 last values may wait, behind what is the group's, too; and then everything.
  bool behind = false;
  for (const Due& due : sessions[client].dues) {
    if (due.stage != Due::Stage::unseen) continue;
    behind = behind || (!room && due.snapshot);
    if (due.optional || behind || (due.qos != k0 && !room)) continue;
    return fmt::format("client {} did not get {} on {}", client, due.message.payload, due.message.topic);
  }
  return {};
}

std::string SessionModel::missing_of_group() const {
  for (const Shared& one : shared_) {
    if (!group_is_loose_ && one.owed && one.came != 1)
      return fmt::format("{} came {} times to the group", one.payload, one.came);
  }
  return {};
}

std::size_t SessionModel::existing() const {
  return static_cast<std::size_t>(
      std::ranges::count_if(sessions, [](const ModelSession& session) { return session.exists; }));
}

std::size_t SessionModel::subscriptions() const {
  std::size_t n = 0;
  for (const ModelSession& session : sessions) n += session.subscriptions.size() + (session.member ? 1 : 0);
  return n;
}

}  // namespace arena::fuzz
