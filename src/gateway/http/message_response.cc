#include "gateway/http/message_response.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <utility>

#include "codec/json/message_json.h"
#include "gateway/http/publish.h"

namespace arena::gateway::http {
namespace {

// Clients refuse answers with much more, and the library that makes frames, too. A field costs as much as RFC 9113, 6.5.2 counts for it.
constexpr std::size_t kHeaderBytesMax = 8192;
constexpr std::size_t kFieldBytes = 32;
constexpr std::string_view kHeaderField = "arena-header";

// May it stand in a field of an answer as it is? Whoever published it chose it.
bool is_plain(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c < 0x7f; });
}

}  // namespace

Response as_published(const Message& message) {
  Response response{200, {}, message.payload};
  const Extras* extras = message.extras.get();
  const bool has_type = extras != nullptr && extras->has_content_type && !extras->content_type.empty() && extras->content_type.size() <= kContentTypeBytesMax && is_plain(extras->content_type);
  response.fields.emplace_back("content-type", has_type ? extras->content_type : "application/octet-stream");
  response.fields.emplace_back("arena-id", fmt::format("{:016x}{:016x}", message.id.high, message.id.low));
  response.fields.emplace_back("arena-time", time_text(message.published_ms));
  if (extras == nullptr) return response;
  std::size_t bytes = 0;
  for (const auto& [name, value] : extras->headers) {
    bytes += kFieldBytes + kHeaderField.size() + name.size() + value.size();
    if (bytes > kHeaderBytesMax) break;
    if (is_plain(name) && is_plain(value) && name.find('=') == std::string::npos) response.fields.emplace_back(kHeaderField, name + "=" + value);
  }
  return response;
}

std::size_t size_of(const Message& message) {
  std::size_t bytes = message.topic.size() + message.payload.size();
  if (message.extras == nullptr) return bytes;
  for (const auto& [name, value] : message.extras->headers) bytes += name.size() + value.size();
  return bytes;
}

void answer_message(const ExchangeRef& exchange, MessageRef message, bool as_json) {
  const bool is_small = size_of(*message) <= kSmallAnswerBytes;
  auto answer = [exchange, message = std::move(message), as_json] {
    exchange->answer(as_json ? json_response(200, message_json(*message, {})) : as_published(*message));
  };
  if (is_small) return answer();
  Exchange::when_room(exchange, std::move(answer));
}

}  // namespace arena::gateway::http
