#include "broker/stream/stream.h"

#include <algorithm>
#include <utility>

#include "base/wire.h"
#include "message/topic.h"

namespace arena::broker {
namespace {

constexpr uint8_t kVersion = 1;
constexpr std::size_t kNameMax = 64;
constexpr std::size_t kFiltersMax = 64;

bool good_name(std::string_view name) {
  constexpr std::string_view kLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-.";
  return !name.empty() && name.size() <= kNameMax && name.find_first_not_of(kLetters) == std::string_view::npos;
}

bool any_matches(const Stream& stream, std::string_view topic) {
  return std::any_of(stream.config.filters.begin(), stream.config.filters.end(),
                     [&](const std::string& filter) { return filter_matches(filter, topic); });
}

// The filter of `stream` that has a topic in common with `filter`; null: there is none.
const std::string* common(const Stream& stream, std::string_view filter) {
  for (const std::string& own : stream.config.filters) {
    if (filters_intersect(own, filter)) return &own;
  }
  return nullptr;
}

}  // namespace

Status check(const StreamConfig& config) {
  if (!good_name(config.name)) return fail_with("a stream's name is 1 to 64 of A-Z a-z 0-9 _ - . , and \"" + config.name + "\" is not");
  if (config.filters.empty()) return fail_with("the stream \"" + config.name + "\" has no filter: name the topics it captures");
  if (config.filters.size() > kFiltersMax) return fail_with("the stream \"" + config.name + "\" has more than 64 filters");
  for (const std::string& filter : config.filters) {
    if (const auto fault = check_filter(filter)) {
      return fail_with("\"" + filter + "\" is no filter: " + std::string(to_string(*fault)));
    }
    if (filter.front() == '$') return fail_with("\"" + filter + "\": topics that begin with $ cannot be captured");
  }
  return Unit{};
}

std::string encode(const Stream& stream) {
  std::string out;
  put_be(out, kVersion);
  put_be(out, static_cast<uint32_t>(stream.log));
  put_be(out, static_cast<uint64_t>(stream.created_ms));
  put_text(out, stream.config.name);
  put_be(out, static_cast<uint32_t>(stream.config.filters.size()));
  for (const std::string& filter : stream.config.filters) put_text(out, filter);
  put_be(out, static_cast<uint64_t>(stream.config.retention.age_ms));
  put_be(out, stream.config.retention.bytes);
  put_be(out, stream.config.retention.messages);
  put_be(out, stream.config.budget_bytes);
  put_be(out, static_cast<uint32_t>(stream.taken_over.size()));
  for (const uint64_t end : stream.taken_over) put_be(out, end);
  return out;
}

Result<Stream> decode_stream(std::string_view bytes) {
  WireReader in(bytes);
  if (in.be<uint8_t>() != kVersion) return fail("stream of an unknown version");
  Stream stream;
  stream.log = static_cast<LogId>(in.be<uint32_t>());
  stream.created_ms = static_cast<int64_t>(in.be<uint64_t>());
  stream.config.name = in.text();
  for (uint32_t left = in.be<uint32_t>(); left > 0 && !in.failed(); --left) stream.config.filters.emplace_back(in.text());
  stream.config.retention.age_ms = static_cast<int64_t>(in.be<uint64_t>());
  stream.config.retention.bytes = in.be<uint64_t>();
  stream.config.retention.messages = in.be<uint64_t>();
  stream.config.budget_bytes = in.be<uint64_t>();
  for (uint32_t left = in.be<uint32_t>(); left > 0 && !in.failed(); --left) stream.taken_over.push_back(in.be<uint64_t>());
  if (!in.done()) return fail("stream cut short or too long");
  return stream;
}

bool Stream::reaches(std::string_view filter) const { return common(*this, filter) != nullptr; }

const Stream* StreamTable::find(std::string_view name) const {
  const auto at = std::find_if(streams_.begin(), streams_.end(), [&](const Stream& one) { return one.config.name == name; });
  return at == streams_.end() ? nullptr : &*at;
}

const Stream* StreamTable::find(LogId log) const {
  const auto at = std::find_if(streams_.begin(), streams_.end(), [&](const Stream& one) { return one.log == log; });
  return at == streams_.end() ? nullptr : &*at;
}

const Stream* StreamTable::of(std::string_view topic) const {
  const auto at = std::find_if(streams_.begin(), streams_.end(), [&](const Stream& one) { return any_matches(one, topic); });
  return at == streams_.end() ? nullptr : &*at;
}

std::vector<const Stream*> StreamTable::reached_by(std::string_view filter) const {
  std::vector<const Stream*> out;
  for (const Stream& stream : streams_) {
    if (stream.reaches(filter)) out.push_back(&stream);
  }
  return out;
}

Status StreamTable::admits(const StreamConfig& config) const {
  if (Status good = check(config); !good) return good;
  for (const Stream& stream : streams_) {
    if (stream.config.name == config.name) return fail_with("there is a stream \"" + config.name + "\" already");
    for (const std::string& filter : config.filters) {
      if (const std::string* own = common(stream, filter)) {
        return fail_with("\"" + filter + "\" of the stream \"" + config.name + "\" has topics in common with \"" + *own +
                         "\" of the stream \"" + stream.config.name + "\": streams do not overlap");
      }
    }
  }
  return Unit{};
}

}  // namespace arena::broker
