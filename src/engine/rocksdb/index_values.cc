#include "engine/rocksdb/index_values.h"

#include "base/wire.h"
#include "engine/varint.h"

namespace arena::engine {

std::string encode_start(const StoredStart& start) {
  std::string out;
  put_be(out, start.start);
  put_be(out, start.tail.end);
  put_be(out, start.tail.checksum);
  return seal_value(out);
}

Result<StoredStart> decode_start(std::string_view value) {
  const auto payload = open_value(value);
  if (!payload.ok()) return fail(payload.error());
  WireReader reader(*payload);
  StoredStart out;
  out.start = reader.be<uint64_t>();
  out.tail.end = reader.be<uint64_t>();
  out.tail.checksum = reader.be<uint32_t>();
  if (reader.failed() || out.start > out.tail.end) return fail("the start of a log contradicts itself");
  return out;
}

std::string encode_segment(const Segment& segment) {
  std::string out;
  put_be(out, segment.base);
  put_be(out, segment.end);
  put_be(out, segment.bytes);
  put_be(out, segment.checksum);
  return seal_value(out);
}

Result<Segment> decode_segment(std::string_view value) {
  const auto payload = open_value(value);
  if (!payload.ok()) return fail(payload.error());
  WireReader reader(*payload);
  Segment out;
  out.base = reader.be<uint64_t>();
  out.end = reader.be<uint64_t>();
  out.bytes = reader.be<uint64_t>();
  out.checksum = reader.be<uint32_t>();
  if (reader.failed() || out.base >= out.end) return fail("a segment contradicts itself");
  return out;
}

std::string encode_bases(const Segment& segment, const std::vector<uint64_t>& bases) {
  std::string out;
  put_be(out, segment.end);
  uint64_t before = segment.base;
  put_be(out, before);
  for (const uint64_t base : bases) {
    put_varint(out, base - before);
    before = base;
  }
  return seal_value(out);
}

Result<std::vector<uint64_t>> decode_bases(std::string_view value) {
  const auto payload = open_value(value);
  if (!payload.ok()) return fail(payload.error());
  WireReader head(*payload);
  const auto end = head.be<uint64_t>();
  uint64_t base = head.be<uint64_t>();
  if (head.failed() || base > end) return fail("an index entry contradicts itself");
  std::vector<uint64_t> out;
  VarintReader reader(head.rest());
  while (!reader.empty()) {
    uint64_t step = 0;
    if (!reader.varint(step) || step >= end - base) return fail("an index entry contradicts itself");
    base += step;
    out.push_back(base);
  }
  if (out.empty()) return fail("an index entry is cut short");
  return out;
}

Result<uint64_t> segment_end_of(IndexKind kind, std::string_view value) {
  const auto payload = open_value(value);
  if (!payload.ok()) return fail(payload.error());
  WireReader reader(*payload);
  if (kind != IndexKind::topic) reader.be<uint64_t>();
  const auto end = reader.be<uint64_t>();
  if (reader.failed()) return fail("an index entry is cut short");
  return end;
}

}  // namespace arena::engine
