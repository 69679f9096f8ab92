// Stored bytes never crash the reader, and what it accepts it writes back the same. The first byte chooses
// the door: with real checksums almost no input would get past them, so one door seals the input as a block's
// body first.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "engine/block.h"

namespace {

using namespace arena;
using namespace arena::engine;

void require(bool condition) {
  if (!condition) std::abort();
}

Result<MessageRef> decode_alone(std::string_view fields) {
  RecordHead head;
  if (Status known = head.advance(fields); !known) return fail(known.error());
  return decode_fields(head, fields);
}

std::string fields_of(const Message& message) {
  std::string fields;
  append_fields(fields, message);
  return fields;
}

void check_fields(std::string_view fields) {
  const Result<MessageRef> decoded = decode_alone(fields);
  if (!decoded.ok()) return;
  require((*decoded)->topic.size() <= fields.size());
  const std::string once = fields_of(**decoded);
  const Result<MessageRef> again = decode_alone(once);
  require(again.ok() && (*again)->topic == (*decoded)->topic);
  require(once == fields_of(**again));
}

void check_block(std::string_view block) {
  Result<BlockReader> reader = BlockReader::open(block);
  if (!reader.ok()) return;
  BlockWriter copy(reader->header().base_offset);
  std::vector<MessageRef> records;
  while (reader->next()) {
    require(reader->offset() >= reader->header().base_offset &&
            reader->offset() < reader->header().end_offset);
    const Result<MessageRef> record = reader->decode();
    if (!record.ok()) return;
    require((*record)->topic == reader->topic());
    records.push_back(*record);
    copy.add(reader->offset(), *records.back());
  }
  if (!reader->status().ok() || reader->header().count == 0) return;
  const std::string written = copy.finish(reader->header().previous_checksum);
  Result<BlockReader> second = BlockReader::open(written);
  require(second.ok());
  for (const MessageRef& record : records) {
    require(second->next());
    const Result<MessageRef> same = second->decode();
    require(same.ok() && fields_of(**same) == fields_of(*record));
  }
  require(!second->next() && second->status().ok());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, std::size_t size) {
  if (size < 3) return 0;
  const std::string_view input(reinterpret_cast<const char*>(data) + 3, size - 3);
  switch (data[0] % 4) {
    case 0:
      check_block(input);
      break;
    case 1:
      check_block(seal_block({data[1], data[1] + uint64_t{data[2]}, data[2] % 8u, 0, 0}, input));
      break;
    case 2:
      check_fields(input);
      break;
    default:
      (void)decode_message(input).ok();
      break;
  }
  return 0;
}
