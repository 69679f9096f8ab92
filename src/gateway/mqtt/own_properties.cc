#include "gateway/mqtt/own_properties.h"

#include <algorithm>
#include <charconv>

namespace arena::gateway::mqtt {
namespace am = arena::mqtt;

namespace {

constexpr std::size_t kIdBytesMax = 128;
constexpr std::size_t kProducerBytesMax = 64;

template <typename T>
bool read_number(std::string_view text, T& value) {
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), value);
  return !text.empty() && text.front() != '-' && fault == std::errc{} && end == text.data() + text.size();
}

bool read_producer(std::string_view text, broker::PublishKey& key) {
  const std::size_t second = text.rfind(':');
  const std::size_t first = second == std::string_view::npos || second == 0 ? std::string_view::npos : text.rfind(':', second - 1);
  if (first == std::string_view::npos || first == 0 || first > kProducerBytesMax) return false;
  key.producer = text.substr(0, first);
  return read_number(text.substr(first + 1, second - first - 1), key.epoch) && read_number(text.substr(second + 1), key.sequence) &&
         key.sequence != 0;
}

}  // namespace

bool has_own(const am::UserProperties& properties) { return std::any_of(properties.begin(), properties.end(), is_own); }

PublishOwn read_own(const am::UserProperties& properties) {
  PublishOwn own;
  for (const am::UserProperty& property : properties) {
    if (!is_own(property)) continue;
    if (property.name != "arena-id" && property.name != "arena-producer") {
      own.refusal = "arena- user properties are the broker's own; a publish may have arena-id or arena-producer";
    } else if (own.key) {
      own.refusal = "a publish has one arena-id or one arena-producer";
    } else if (property.name == "arena-id") {
      own.key.emplace().id = property.value;
      if (property.value.empty() || property.value.size() > kIdBytesMax) own.refusal = "arena-id has 1 to 128 bytes";
    } else if (!read_producer(property.value, own.key.emplace())) {
      own.refusal = "arena-producer is <name>:<epoch>:<sequence>, the sequence from 1";
    }
  }
  return own;
}

}  // namespace arena::gateway::mqtt
