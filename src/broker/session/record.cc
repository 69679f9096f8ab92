#include "broker/session/record.h"

#include "base/wire.h"
#include "engine/block.h"

namespace arena::broker {
namespace {

constexpr uint8_t kVersion = 2;
constexpr uint8_t kVersionInbox = 1;  // its places name no log: all lie in $inbox

// Reads lists while bytes last: a corrupt count must not make us reserve the moon.
struct RecordReader : WireReader {
  explicit RecordReader(std::string_view bytes) : WireReader(bytes), version(be<uint8_t>()) {}
  bool known() const { return version == kVersion || version == kVersionInbox; }
  LogName log() {
    LogName name;
    name.partition = be<PartitionId>();
    if (version != kVersionInbox) name.log = static_cast<LogId>(be<uint32_t>());
    return name;
  }
  const uint8_t version;
};

void put_log(std::string& out, LogName name) {
  put_be(out, name.partition);
  put_be(out, static_cast<uint32_t>(name.log));
}

void put_places(std::string& out, const Places& places) {
  put_be(out, static_cast<uint32_t>(places.size()));
  for (const auto& [log, offset] : places) {
    put_log(out, log);
    put_be(out, offset);
  }
}

Places read_places(RecordReader& in) {
  Places places;
  for (uint32_t left = in.be<uint32_t>(); left > 0 && !in.failed(); --left) {
    const LogName log = in.log();
    places.emplace_back(log, in.be<uint64_t>());
  }
  return places;
}

void put_cursors(std::string& out, const std::vector<CursorRecord>& cursors) {
  put_be(out, static_cast<uint32_t>(cursors.size()));
  for (const CursorRecord& cursor : cursors) {
    put_log(out, cursor.log);
    put_be(out, cursor.floor);
    put_be(out, static_cast<uint32_t>(cursor.settled.size()));
    for (uint64_t offset : cursor.settled) put_be(out, offset);
  }
}

std::vector<CursorRecord> read_cursors(RecordReader& in) {
  std::vector<CursorRecord> cursors;
  for (uint32_t left = in.be<uint32_t>(); left > 0 && !in.failed(); --left) {
    CursorRecord cursor;
    cursor.log = in.log();
    cursor.floor = in.be<uint64_t>();
    for (uint32_t n = in.be<uint32_t>(); n > 0 && !in.failed(); --n) cursor.settled.push_back(in.be<uint64_t>());
    cursors.push_back(std::move(cursor));
  }
  return cursors;
}

void put_subscription(std::string& out, const SubscriptionRecord& record) {
  const SubscribeRequest& request = record.request;
  put_text(out, request.filter);
  put_text(out, request.group);
  put_be(out, static_cast<uint8_t>(request.granted));
  put_be(out, static_cast<uint8_t>((request.no_local ? 1 : 0) | (request.keep_retained_flag ? 2 : 0) |
                               (static_cast<uint8_t>(request.slow.value_or(SlowPolicy::drop_oldest)) << 2) | (request.positions ? 16 : 0)));
  put_be(out, request.id);
  put_places(out, record.born);
}

SubscriptionRecord read_subscription(RecordReader& in) {
  SubscriptionRecord record;
  record.request.filter = in.text();
  record.request.group = in.text();
  record.request.granted = static_cast<Guarantee>(in.be<uint8_t>() % 3);
  const auto flags = in.be<uint8_t>();
  record.request.no_local = (flags & 1) != 0;
  record.request.keep_retained_flag = (flags & 2) != 0;
  record.request.slow = static_cast<SlowPolicy>((flags >> 2) & 3);
  record.request.positions = (flags & 16) != 0;
  record.request.id = in.be<uint32_t>();
  record.born = read_places(in);
  return record;
}

void put_window(std::string& out, const std::vector<WindowRecord>& window) {
  put_be(out, static_cast<uint32_t>(window.size()));
  for (const WindowRecord& entry : window) {
    put_be(out, entry.tag);
    put_be(out, static_cast<uint8_t>((entry.received ? 1 : 0) | (entry.stored ? 2 : 0)));
    put_log(out, entry.log);
    put_be(out, entry.offset);
  }
}

std::vector<WindowRecord> read_window(RecordReader& in) {
  std::vector<WindowRecord> window;
  for (uint32_t left = in.be<uint32_t>(); left > 0 && !in.failed(); --left) {
    WindowRecord entry;
    entry.tag = in.be<uint16_t>();
    const auto flags = in.be<uint8_t>();
    entry.received = (flags & 1) != 0;
    entry.stored = (flags & 2) != 0;
    entry.log = in.log();
    entry.offset = in.be<uint64_t>();
    window.push_back(entry);
  }
  return window;
}

}  // namespace

std::string encode(const SessionRecord& record) {
  std::string out;
  put_be(out, kVersion);
  put_text(out, record.principal.space);
  put_text(out, record.principal.name);
  put_text(out, record.client_id);
  put_be(out, record.incarnation);
  put_be(out, record.epoch);
  put_be(out, record.expiry_s);
  put_be(out, static_cast<uint8_t>((record.connected ? 1 : 0) | (record.will ? 2 : 0)));
  put_be(out, static_cast<uint32_t>(record.subscriptions.size()));
  for (const SubscriptionRecord& subscription : record.subscriptions) put_subscription(out, subscription);
  put_cursors(out, record.cursors);
  put_window(out, record.window);
  if (record.will) {
    put_be(out, record.will->delay_s);
    put_be(out, record.will->lifetime_s);
    put_text(out, engine::encode_message(*record.will->message));
  }
  return out;
}

Result<SessionRecord> decode_session(std::string_view bytes) {
  RecordReader in(bytes);
  if (!in.known()) return fail("session record of an unknown version");
  SessionRecord record;
  record.principal.space = in.text();
  record.principal.name = in.text();
  record.client_id = in.text();
  record.incarnation = in.be<uint64_t>();
  record.epoch = in.be<uint32_t>();
  record.expiry_s = in.be<uint32_t>();
  const auto flags = in.be<uint8_t>();
  record.connected = (flags & 1) != 0;
  for (uint32_t left = in.be<uint32_t>(); left > 0 && !in.failed(); --left) {
    record.subscriptions.push_back(read_subscription(in));
  }
  record.cursors = read_cursors(in);
  record.window = read_window(in);
  if ((flags & 2) != 0) {
    Will will;
    will.delay_s = in.be<uint32_t>();
    will.lifetime_s = in.be<uint32_t>();
    auto message = engine::decode_message(in.text());
    if (!message) return fail_with("will in a session record: " + message.error().reason);
    will.message = message.value();
    record.will = std::move(will);
  }
  if (!in.done()) return fail("session record cut short or too long");
  return record;
}

std::string encode(const GroupRecord& record) {
  std::string out;
  put_be(out, kVersion);
  put_text(out, record.space);
  put_text(out, record.group);
  put_text(out, record.filter);
  put_places(out, record.born);
  put_cursors(out, record.cursors);
  return out;
}

Result<GroupRecord> decode_group(std::string_view bytes) {
  RecordReader in(bytes);
  if (!in.known()) return fail("group record of an unknown version");
  GroupRecord record;
  record.space = in.text();
  record.group = in.text();
  record.filter = in.text();
  record.born = read_places(in);
  record.cursors = read_cursors(in);
  if (!in.done()) return fail("group record cut short or too long");
  return record;
}

}  // namespace arena::broker
