#include "engine/reading.h"

#include <algorithm>
#include <utility>

#include "engine/block.h"

namespace arena::engine {

Reading::Reading(ReadRequest& request, ReadResult& result, uint64_t start, uint64_t upto)
    : request_(request), result_(result), upto_(upto) {
  result.next = request.from;
  if (request.from >= start) return;
  result.trimmed = std::min(start, request.upto) - std::min(request.from, request.upto);
  result.next += result.trimmed;
}

bool Reading::wants(std::string_view topic) const {
  if (!request_.topic.empty() && request_.topic != topic) return false;
  return !request_.wanted || request_.wanted(topic);
}

bool Reading::take(uint64_t offset, Result<MessageRef> message) {
  if (!message.ok()) return fail_at(message.error(), offset, offset + 1);
  bytes_ += (*message)->accounted_bytes();
  result_.records.push_back({offset, std::move(*message)});
  return true;
}

bool Reading::fail_at(const Error& error, uint64_t damaged_from, uint64_t behind) {
  const uint64_t from = std::max(result_.next, damaged_from);
  result_.status = fail(error);
  result_.next = std::max(result_.next, std::min(behind, upto_));
  result_.damaged = result_.next - std::min(from, result_.next);
  ended_ = true;
  return false;
}

void Reading::skip_to(uint64_t offset) { result_.next = std::max(result_.next, std::min(offset, upto_)); }

bool Reading::take_block(std::string_view block, uint64_t base, uint64_t behind) {
  Result<BlockReader> reader = BlockReader::open(block);
  if (!reader.ok()) return fail_at(reader.error(), base, behind);
  while (reader->next() && reader->offset() < upto_) {
    if (reader->offset() < result_.next) continue;
    scanned_bytes_ += reader->stored_bytes();
    if (wants(reader->topic()) && !take(reader->offset(), reader->decode())) return false;
    result_.next = reader->offset() + 1;
    if (full()) {
      ended_ = true;
      return false;
    }
  }
  return reader->status().ok() || fail_at(reader->status().error(), base, behind);
}

}  // namespace arena::engine
