// A message as bytes: tag-length-value fields, as engine/FORMAT.md says. Used inside blocks, and alone for values in
// key spaces (last values, wills).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "message/message.h"

namespace arena::engine {

// What a record in a block has from the one before it, unless its fields say otherwise. Views into the fields.
struct RecordHead {
  std::string_view topic;
  std::string_view principal;
  MessageId id;
  uint64_t publisher = 0;
  int64_t published_ms = 0;
  Guarantee guarantee = Guarantee::at_most_once;
  bool retain = false;

  // Becomes the head of the next record. Never trusts its input; unknown fields are skipped.
  Status advance(std::string_view fields);
};

// Appends the message's fields; left out are those at their default, and of a head those that are as in `before`, which is
// the record before it in its block. Null: there is none.
void append_fields(std::string& out, const Message& message, const Message* before = nullptr);
// `head` has advanced over `fields`. Unknown fields are skipped: a later version may have written them.
Result<MessageRef> decode_fields(const RecordHead& head, std::string_view fields);

// One message by itself: version, checksum, fields.
std::string encode_message(const Message& message);
// A bad checksum, a foreign version or malformed fields are errors.
Result<MessageRef> decode_message(std::string_view bytes);

}  // namespace arena::engine
