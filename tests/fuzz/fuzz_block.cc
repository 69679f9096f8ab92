// Stored bytes never crash the reader, and what it accepts it writes back the same. The first byte chooses
// the door: with real checksums almost no input would get past them, so one door seals the input as a block's
// body first.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "engine/block.h"

namespace {

using namespace arena;
using namespace arena::engine;

void require(bool condition) {
  if (!condition) std::abort();
}

void check_fields(std::string_view fields) {
  const Result<MessageRef> decoded = decode_fields(fields);
  if (!decoded.ok()) return;
  require((*decoded)->topic.size() <= fields.size());
  std::string once;
  append_fields(once, **decoded);
  const Result<MessageRef> again = decode_fields(once);
  require(again.ok() && topic_of_fields(once) == (*decoded)->topic);
  std::string twice;
  append_fields(twice, **again);
  require(once == twice);
}

void check_block(std::string_view block) {
  Result<BlockReader> reader = BlockReader::open(block);
  if (!reader.ok()) return;
  BlockWriter copy(reader->header().base_offset);
  while (reader->next()) {
    require(reader->offset() >= reader->header().base_offset &&
            reader->offset() < reader->header().end_offset);
    check_fields(reader->fields());
    copy.add_fields(reader->offset(), reader->fields());
  }
  if (!reader->status().ok() || reader->header().count == 0) return;
  const std::string written = copy.finish(reader->header().previous_checksum);
  Result<BlockReader> second = BlockReader::open(written);
  require(second.ok());
  while (second->next()) {
  }
  require(second->status().ok() && second->header().count == reader->header().count);
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
