// Coming back from the store: CURSORS.md 13.
#include <unordered_set>
#include <utility>

#include "base/log.h"
#include "base/wire.h"
#include "broker/shard.h"
#include "engine/block.h"

namespace arena::broker {
namespace {

Status at_key(std::string_view what, const engine::KeyValue& entry, const Error& error) {
  return fail_with(std::string(what) + " \"" + entry.key + "\" cannot be read: " + error.reason);
}

}  // namespace

Status Shard::load() {
  if (Status status = load_streams(); !status) return status;
  for (const auto& [id, partition] : partitions_) {
    if (Status status = load_partition(id); !status) return status;
  }
  return Unit{};
}

Status Shard::load_partition(PartitionId id) {
  if (Status status = partition(id).load(); !status) return status;
  for (const engine::KeyValue& entry : store_.scan(id, engine::Space::retained, {}, {}, SIZE_MAX)) {
    auto message = engine::decode_message(entry.value);
    if (!message) return at_key("the last value of", entry, message.error());
    set_retained(message.value());
  }
  for (const engine::KeyValue& entry : store_.scan(id, engine::Space::groups, {}, {}, SIZE_MAX)) {
    auto record = decode_group(entry.value);
    if (!record) return at_key("the group", entry, record.error());
    group_for(record->space, record->group, record->filter).restore(*record);
  }
  return load_sessions(id);
}

Status Shard::load_sessions(PartitionId id) {
  std::unordered_set<SessionId> were_connected;
  for (const engine::KeyValue& entry : store_.scan(id, engine::Space::sessions, {}, {}, SIZE_MAX)) {
    auto record = decode_session(entry.value);
    if (!record) return at_key("the session", entry, record.error());
    OpenRequest request;
    request.principal = record->principal;
    request.client_id = record->client_id;
    const bool connected = record->connected;
    Session& session = add_session(request);
    session.restore(std::move(record.value()));
    if (connected) were_connected.insert(session.id());
    restored_.emplace_back(session.id(), connected);
  }
  for (const engine::KeyValue& entry : store_.scan(id, engine::Space::due, {}, {}, SIZE_MAX)) {
    WireReader key(entry.key);
    const auto due = static_cast<int64_t>(key.be<uint64_t>());
    const auto expires = static_cast<int64_t>(WireReader(entry.value).be<uint64_t>());
    Session* session = find_session(key.rest());
    if (session == nullptr) continue;
    if (were_connected.contains(session->id())) {
      session->forget_due(entry.key);  // of an earlier absence
    } else {
      session->restore_due(due, expires, entry.key);
    }
  }
  return Unit{};
}

void Shard::announce(UniqueFunction<void()> done) {
  auto open = std::make_shared<std::size_t>(restored_.size() + 1);
  auto one_done = std::make_shared<UniqueFunction<void()>>([this, open, done = std::move(done)]() mutable {
    if (--*open == 0) announce_handshakes(std::move(done));
  });
  for (const auto& [id, connected] : restored_) {
    if (Session* session = find_session(id)) {
      session->announce([one_done] { (*one_done)(); });
    }
  }
  (*one_done)();
}

void Shard::start() {
  running_ = true;
  if (registry_) registry_->start();
  arm_expiry();
  std::vector<std::pair<SessionId, bool>> restored = std::move(restored_);
  restored_.clear();
  for (const auto& [id, connected] : restored) {
    if (Session* session = find_session(id)) session->settle_restored(connected);
  }
  std::vector<uint64_t> groups;
  for (const auto& [id, group] : groups_by_id_) groups.push_back(id);
  for (uint64_t id : groups) {
    if (Group* group = find_group(id)) group->end_if_empty();
  }
  arm_due();
}

// Open exactly-once handshakes go back to their sessions; done when all are there, before anybody can repeat a publish.
void Shard::announce_handshakes(UniqueFunction<void()> done) {
  for (const auto& [id, partition] : partitions_) announce_handshakes(id);
  auto open = std::make_shared<std::size_t>(shards_.size());
  auto one_done = std::make_shared<UniqueFunction<void()>>([open, done = std::move(done)]() mutable {
    if (--*open == 0) done();
  });
  for (unsigned to = 0; to < shards_.size(); ++to) {  // behind the handshakes, in the order of mail
    call(to, [from = core(), one_done](Shard& there) {
      there.call(from, [one_done](Shard&) { (*one_done)(); });
    });
  }
}

// Those whose session is gone are forgotten.
void Shard::announce_handshakes(PartitionId id) {
  for (const engine::KeyValue& entry : store_.scan(id, engine::Space::handshakes, {}, {}, SIZE_MAX)) {
    WireReader key(entry.key);
    const auto incarnation = key.be<uint64_t>();
    const auto tag = key.be<uint16_t>();
    WireReader value(entry.value);
    value.be<uint64_t>();
    const std::string session_key(value.rest());
    call(home_core(session_key), [id, incarnation, tag, session_key](Shard& home) {
      Session* session = home.find_session(session_key);
      if (session != nullptr && session->incarnation() == incarnation) {
        session->restore_inbound(tag, id);
      } else {
        home.call_owner(id, erase_handshake(id, incarnation, tag, {}));
      }
    });
  }
}

}  // namespace arena::broker
