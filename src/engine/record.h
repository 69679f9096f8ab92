// A message as bytes: tag-length-value fields, as engine/FORMAT.md says. Used inside blocks, and alone for values in
// key spaces (last values, wills).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "message/message.h"

namespace arena::engine {

// Appends the message's fields; fields at their default are left out. The topic comes first.
void append_fields(std::string& out, const Message& message);
// Never trusts its input. Unknown fields are skipped: a later version may have written them.
Result<MessageRef> decode_fields(std::string_view fields);
// The topic of encoded fields without decoding the rest, a view into them; empty when there is none or the fields
// are malformed.
std::string_view topic_of_fields(std::string_view fields);

// One message by itself: version, checksum, fields.
std::string encode_message(const Message& message);
// A bad checksum, a foreign version or malformed fields are errors.
Result<MessageRef> decode_message(std::string_view bytes);

}  // namespace arena::engine
