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
};

constexpr uint8_t kMessageVersion = 1;
constexpr std::size_t kMessageHeadBytes = 5;  // version, checksum

void put_bytes(std::string& out, Tag tag, std::string_view bytes) {
  put_varint(out, static_cast<uint64_t>(tag));
  put_varint(out, bytes.size());
  out.append(bytes);
}

// Numbers are big-endian without leading zero bytes; zero is an absent field.
void put_number(std::string& out, Tag tag, uint64_t value) {
  if (value == 0) return;
  char bytes[8];
  std::size_t size = 0;
  for (int shift = 56; shift >= 0; shift -= 8) {
    const auto byte = static_cast<char>((value >> shift) & 0xff);
    if (byte != 0 || size > 0) bytes[size++] = byte;
  }
  put_bytes(out, tag, {bytes, size});
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

// A message being put together from its fields.
class Assembly {
 public:
  // False when a field that this version knows is malformed.
  bool take(Tag tag, std::string_view bytes) {
    Message& m = *message_;
    switch (tag) {
      case Tag::topic: return m.topic.assign(bytes), true;
      case Tag::payload: return m.payload.assign(bytes), true;
      case Tag::id: return get_id(bytes, m.id);
      case Tag::principal: return m.principal.assign(bytes), true;
      case Tag::publisher: return get_number(bytes, m.publisher);
      case Tag::published_ms: return get_time(bytes, m.published_ms);
      case Tag::expires_ms: return get_time(bytes, m.expires_ms);
      case Tag::guarantee: return get_guarantee(bytes, m.guarantee);
      case Tag::retain: return get_flag(bytes, m.retain);
      default: return take_extra(tag, bytes);
    }
  }

  MessageRef finish() {
    if (extras_) message_->extras = std::move(extras_);
    return MessageRef(message_.release());
  }

 private:
  bool take_extra(Tag tag, std::string_view bytes) {
    switch (tag) {
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

  Extras& extras() {
    if (!extras_) extras_ = std::make_unique<Extras>();
    return *extras_;
  }

  std::unique_ptr<Message> message_ = std::make_unique<Message>();
  std::unique_ptr<Extras> extras_;
};

}  // namespace

void append_fields(std::string& out, const Message& message) {
  put_bytes(out, Tag::topic, message.topic);
  std::string id;
  put_be(id, message.id.high);
  put_be(id, message.id.low);
  put_bytes(out, Tag::id, id);
  if (!message.principal.empty()) put_bytes(out, Tag::principal, message.principal);
  put_number(out, Tag::publisher, message.publisher);
  put_number(out, Tag::published_ms, static_cast<uint64_t>(message.published_ms));
  put_number(out, Tag::expires_ms, static_cast<uint64_t>(message.expires_ms));
  put_number(out, Tag::guarantee, static_cast<uint64_t>(message.guarantee));
  put_number(out, Tag::retain, message.retain ? 1 : 0);
  if (message.extras) append_extras(out, *message.extras);
  if (!message.payload.empty()) put_bytes(out, Tag::payload, message.payload);
}

Result<MessageRef> decode_fields(std::string_view fields) {
  VarintReader reader(fields);
  Assembly assembly;
  while (!reader.empty()) {
    uint64_t tag = 0;
    std::string_view bytes;
    if (!reader.varint(tag) || !reader.sized(bytes)) return fail("a field runs past its record");
    if (!assembly.take(static_cast<Tag>(tag), bytes)) {
      return fail_with("field " + std::to_string(tag) + " is malformed");
    }
  }
  MessageRef message = assembly.finish();
  if (message->topic.empty()) return fail("a record has no topic");
  return message;
}

std::string_view topic_of_fields(std::string_view fields) {
  VarintReader reader(fields);
  while (!reader.empty()) {
    uint64_t tag = 0;
    std::string_view bytes;
    if (!reader.varint(tag) || !reader.sized(bytes)) return {};
    if (static_cast<Tag>(tag) == Tag::topic) return bytes;
  }
  return {};
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
  return decode_fields(reader.rest());
}

}  // namespace arena::engine
