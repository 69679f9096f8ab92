#include "engine/record.h"

#include <utility>

#include "base/hash.h"
#include "base/wire.h"
#include "engine/varint.h"

namespace arena::engine {
namespace {

// Part of the stored format: never renumber, never reuse.
enum class Tag : uint64_t {
  topic = 1,
  payload = 2,
  id = 3,
  principal = 4,
  publisher = 5,
  published_ms = 6,
  expires_ms = 7,
  guarantee = 8,
  retain = 9,
  content_type = 10,
  response_topic = 11,
  correlation = 12,
  payload_kind = 13,  // 0 bytes, 1 text
  header = 14,        // repeated, in order: sized name, then the value
  key = 15,           // reserved
  priority = 16,      // reserved
  deliver_at_ms = 17, // reserved
  id_step = 18,
};

constexpr uint8_t kMessageVersion = 1;
constexpr std::size_t kMessageHeadBytes = 5;  // version, checksum

void put_bytes(std::string& out, Tag tag, std::string_view bytes) {
  put_varint(out, static_cast<uint64_t>(tag));
  put_varint(out, bytes.size());
  out.append(bytes);
}

// Numbers are big-endian without leading zero bytes.
void put_number(std::string& out, Tag tag, uint64_t value) {
  char bytes[8];
  std::size_t size = 0;
  for (int shift = 56; shift >= 0; shift -= 8) {
    const auto byte = static_cast<char>((value >> shift) & 0xff);
    if (byte != 0 || size > 0) bytes[size++] = byte;
  }
  put_bytes(out, tag, {bytes, size});
}

template <typename Number>
void put_changed(std::string& out, Tag tag, Number value, Number before) {
  if (value != before) put_number(out, tag, static_cast<uint64_t>(value));
}

// Ids of one core rise by small steps.
void put_id(std::string& out, const MessageId& id, const MessageId& before) {
  if (id == before) return;
  if (id.high == before.high && id.low > before.low) return put_number(out, Tag::id_step, id.low - before.low);
  put_varint(out, static_cast<uint64_t>(Tag::id));
  put_varint(out, sizeof id.high + sizeof id.low);
  put_be(out, id.high);
  put_be(out, id.low);
}

bool get_number(std::string_view bytes, uint64_t& value) {
  if (bytes.size() > 8) return false;
  value = 0;
  for (const char byte : bytes) value = (value << 8) | static_cast<uint8_t>(byte);
  return true;
}

void put_header(std::string& out, const Header& header) {
  const auto& [name, value] = header;
  put_varint(out, static_cast<uint64_t>(Tag::header));
  put_varint(out, varint_size(name.size()) + name.size() + value.size());
  put_varint(out, name.size());
  out.append(name).append(value);
}

void append_extras(std::string& out, const Extras& extras) {
  if (extras.has_content_type) put_bytes(out, Tag::content_type, extras.content_type);
  if (!extras.response_topic.empty()) put_bytes(out, Tag::response_topic, extras.response_topic);
  if (extras.has_correlation) put_bytes(out, Tag::correlation, extras.correlation);
  if (extras.has_payload_kind) put_bytes(out, Tag::payload_kind, {extras.payload_is_text ? "\1" : "\0", 1});
  for (const Header& header : extras.headers) put_header(out, header);
}

bool get_id(std::string_view bytes, MessageId& id) {
  WireReader reader(bytes);
  id.high = reader.be<uint64_t>();
  id.low = reader.be<uint64_t>();
  return reader.done();
}

bool get_id_step(std::string_view bytes, MessageId& id) {
  uint64_t step = 0;
  if (!get_number(bytes, step) || step > UINT64_MAX - id.low) return false;
  id.low += step;
  return true;
}

bool get_time(std::string_view bytes, int64_t& time_ms) {
  uint64_t value = 0;
  if (!get_number(bytes, value)) return false;
  time_ms = static_cast<int64_t>(value);
  return true;
}

bool get_guarantee(std::string_view bytes, Guarantee& guarantee) {
  uint64_t value = 0;
  if (!get_number(bytes, value) || value > static_cast<uint64_t>(Guarantee::exactly_once)) return false;
  guarantee = static_cast<Guarantee>(value);
  return true;
}

bool get_flag(std::string_view bytes, bool& flag) {
  uint64_t value = 0;
  if (!get_number(bytes, value) || value > 1) return false;
  flag = value == 1;
  return true;
}

bool get_header(std::string_view bytes, std::vector<Header>& headers) {
  VarintReader reader(bytes);
  std::string_view name;
  if (!reader.sized(name)) return false;
  headers.emplace_back(name, reader.rest());
  return true;
}

// False when a field that this version knows is malformed. Others than those of a head are passed over.
bool take_head(RecordHead& head, Tag tag, std::string_view bytes) {
  switch (tag) {
    case Tag::topic: return head.topic = bytes, true;
    case Tag::principal: return head.principal = bytes, true;
    case Tag::id: return get_id(bytes, head.id);
    case Tag::id_step: return get_id_step(bytes, head.id);
    case Tag::publisher: return get_number(bytes, head.publisher);
    case Tag::published_ms: return get_time(bytes, head.published_ms);
    case Tag::guarantee: return get_guarantee(bytes, head.guarantee);
    case Tag::retain: return get_flag(bytes, head.retain);
    default: return true;
  }
}

// Calls take(tag, bytes) for each field, which says whether it is well-formed.
template <typename Take>
Status each_field(std::string_view fields, Take take) {
  VarintReader reader(fields);
  while (!reader.empty()) {
    uint64_t tag = 0;
    std::string_view bytes;
    if (!reader.varint(tag) || !reader.sized(bytes)) return fail("a field runs past its record");
    if (!take(static_cast<Tag>(tag), bytes)) return fail_with("field " + std::to_string(tag) + " is malformed");
  }
  return Unit{};
}

// A message being put together from its head and its other fields.
class Assembly {
 public:
  explicit Assembly(const RecordHead& head) {
    Message& m = *message_;
    m.topic.assign(head.topic);
    m.principal.assign(head.principal);
    m.id = head.id;
    m.publisher = head.publisher;
    m.published_ms = head.published_ms;
    m.guarantee = head.guarantee;
    m.retain = head.retain;
  }

  // False when a field that this version knows is malformed.
  bool take(Tag tag, std::string_view bytes) {
    switch (tag) {
      case Tag::payload: return message_->payload.assign(bytes), true;
      case Tag::expires_ms: return get_time(bytes, message_->expires_ms);
      case Tag::content_type:
        extras().has_content_type = true;
        return extras().content_type.assign(bytes), true;
      case Tag::response_topic: return extras().response_topic.assign(bytes), true;
      case Tag::correlation:
        extras().has_correlation = true;
        return extras().correlation.assign(bytes), true;
      case Tag::payload_kind:
        extras().has_payload_kind = true;
        return get_flag(bytes, extras().payload_is_text);
      case Tag::header: return get_header(bytes, extras().headers);
      default: return true;
    }
  }

  MessageRef finish() {
    if (extras_) message_->extras = std::move(extras_);
    return MessageRef(message_.release());
  }

 private:
  Extras& extras() {
    if (!extras_) extras_ = std::make_unique<Extras>();
    return *extras_;
  }

  std::unique_ptr<Message> message_ = std::make_unique<Message>();
  std::unique_ptr<Extras> extras_;
};

}  // namespace

Status RecordHead::advance(std::string_view fields) {
  Status status = each_field(fields, [this](Tag tag, std::string_view bytes) { return take_head(*this, tag, bytes); });
  if (status.ok() && topic.empty()) return fail("a record has no topic");
  return status;
}

void append_fields(std::string& out, const Message& message, const Message* before) {
  static const Message kNone;
  const Message& was = before == nullptr ? kNone : *before;
  if (message.topic != was.topic) put_bytes(out, Tag::topic, message.topic);
  put_id(out, message.id, was.id);
  if (message.principal != was.principal) put_bytes(out, Tag::principal, message.principal);
  put_changed(out, Tag::publisher, message.publisher, was.publisher);
  put_changed(out, Tag::published_ms, message.published_ms, was.published_ms);
  put_changed(out, Tag::expires_ms, message.expires_ms, kNone.expires_ms);
  put_changed(out, Tag::guarantee, message.guarantee, was.guarantee);
  put_changed(out, Tag::retain, message.retain, was.retain);
  if (message.extras) append_extras(out, *message.extras);
  if (!message.payload.empty()) put_bytes(out, Tag::payload, message.payload);
}

Result<MessageRef> decode_fields(const RecordHead& head, std::string_view fields) {
  Assembly assembly(head);
  Status status = each_field(fields, [&](Tag tag, std::string_view bytes) { return assembly.take(tag, bytes); });
  if (!status) return fail(status.error());
  return assembly.finish();
}

std::string encode_message(const Message& message) {
  std::string out(kMessageHeadBytes, '\0');
  append_fields(out, message);
  std::string head;
  put_be(head, kMessageVersion);
  put_be(head, checksum32(std::string_view(out).substr(kMessageHeadBytes)));
  out.replace(0, kMessageHeadBytes, head);
  return out;
}

Result<MessageRef> decode_message(std::string_view bytes) {
  WireReader reader(bytes);
  const auto version = reader.be<uint8_t>();
  const auto checksum = reader.be<uint32_t>();
  if (reader.failed()) return fail("a stored message is cut short");
  if (version != kMessageVersion) {
    return fail_with("a stored message has version " + std::to_string(version) + ", which this release cannot read");
  }
  if (checksum32(reader.rest()) != checksum) return fail("a stored message does not match its checksum");
  RecordHead head;
  if (Status known = head.advance(reader.rest()); !known) return fail(known.error());
  return decode_fields(head, reader.rest());
}

}  // namespace arena::engine
