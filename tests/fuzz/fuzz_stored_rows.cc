// The small rows of a store: sessions, groups, streams, and the index with its keys. Byte 0 chooses which. Promises: what is taken for a
// row says the same when it is written and read back; no count in it makes the reader take more memory than the row has bytes for.
#include <cstdint>
#include <string>
#include <vector>

#include "broker/session/record.h"
#include "broker/stream/stream.h"
#include "check.h"
#include "engine/rocksdb/index_values.h"
#include "engine/rocksdb/keys.h"
#include "input.h"

using namespace arena;

namespace {

// By what its encoding says: fields that are not used may differ in the bytes that came.
template <typename Decode>
void check_row(const std::string& bytes, Decode decode) {
  const auto row = decode(bytes);
  if (!row.ok()) {
    FUZZ_CHECK(!row.error().reason.empty());
    return;
  }
  const std::string once = encode(*row);
  const auto again = decode(once);
  FUZZ_CHECK(again.ok() && encode(*again) == once);
}

void check_session(const std::string& bytes) {
  check_row(bytes, broker::decode_session);
  const auto session = broker::decode_session(bytes);
  if (!session.ok()) return;
  FUZZ_CHECK(session->subscriptions.size() + session->window.size() + session->cursors.size() <= bytes.size());
  FUZZ_CHECK(!session->will || session->will->message);
  // Cut anywhere it is none.
  FUZZ_CHECK(!broker::decode_session(bytes.substr(0, bytes.size() - 1)).ok());
}

void check_index(std::size_t kind, const std::string& bytes) {
  const std::string sealed = engine::seal_value(bytes);
  const auto opened = engine::open_value(sealed);
  FUZZ_CHECK(opened.ok() && *opened == bytes);
  if (const auto bare = engine::open_value(bytes); bare.ok()) FUZZ_CHECK(engine::seal_value(*bare) == bytes);
  if (const auto start = engine::decode_start(sealed); kind == 0 && start.ok()) {
    FUZZ_CHECK(start->start <= start->tail.end);
    const auto again = engine::decode_start(engine::encode_start(*start));
    FUZZ_CHECK(again.ok() && again->start == start->start && again->tail.end == start->tail.end && again->tail.checksum == start->tail.checksum);
  }
  if (const auto segment = engine::decode_segment(sealed); kind == 1 && segment.ok()) {
    FUZZ_CHECK(segment->base < segment->end);
    const auto again = engine::decode_segment(engine::encode_segment(*segment));
    FUZZ_CHECK(again.ok() && again->base == segment->base && again->end == segment->end && again->bytes == segment->bytes);
    const auto end = engine::segment_end_of(engine::IndexKind::segment, sealed);
    FUZZ_CHECK(end.ok() && *end == segment->end);
  }
  if (const auto bases = engine::decode_bases(sealed); kind == 2 && bases.ok()) {
    const auto end = engine::segment_end_of(engine::IndexKind::topic, sealed);
    FUZZ_CHECK(end.ok() && !bases->empty() && bases->size() <= bytes.size());
    for (std::size_t i = 0; i < bases->size(); ++i)
      FUZZ_CHECK((*bases)[i] < *end && (i == 0 || (*bases)[i - 1] <= (*bases)[i]));
  }
}

void check_keys(const std::string& key) {
  engine::LogName name, again;
  uint64_t base = 0;
  engine::IndexKind kind{};
  if (engine::read_block_key(key, name, base)) FUZZ_CHECK(engine::block_key(name, base) == key);
  if (engine::read_log_name(key, name)) FUZZ_CHECK(key.starts_with(engine::log_prefix(name)));
  if (engine::read_index_kind(key, name, kind)) FUZZ_CHECK(engine::read_log_name(key, again) && again == name);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  const std::size_t door = input.below(7);
  const std::string bytes = input.rest();
  switch (door) {
    case 0:
      check_session(bytes);
      break;
    case 1:
      check_row(bytes, broker::decode_group);
      break;
    case 2:
      check_row(bytes, broker::decode_stream);
      break;
    case 3:
      check_keys(bytes);
      break;
    default:
      check_index(door - 4, bytes);
      break;
  }
  return 0;
}
