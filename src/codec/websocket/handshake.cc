#include "codec/websocket/handshake.h"

#include <openssl/sha.h>

#include <algorithm>
#include <array>

#include "base/base64.h"

namespace arena::websocket {
namespace {

constexpr std::string_view kGuid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

// Takes the next entry off a list with ',' between, without white space around it.
std::string_view take_entry(std::string_view& list) {
  const std::size_t comma = std::min(list.find(','), list.size());
  std::string_view entry = list.substr(0, comma);
  list.remove_prefix(std::min(comma + 1, list.size()));
  constexpr std::string_view kBlank = " \t";
  entry.remove_prefix(std::min(entry.find_first_not_of(kBlank), entry.size()));
  return entry.substr(0, entry.find_last_not_of(kBlank) + 1);
}

char to_lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }

bool same_word(std::string_view text, std::string_view lower) {
  return std::equal(text.begin(), text.end(), lower.begin(), lower.end(), [](char a, char b) { return to_lower(a) == b; });
}

// The value of the first field of that name (in lower case).
std::string_view field_of(std::string_view head, std::string_view name) {
  while (!head.empty()) {
    std::string_view line = head.substr(0, head.find("\r\n"));
    head.remove_prefix(std::min(line.size() + 2, head.size()));
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos || !same_word(line.substr(0, colon), name)) continue;
    line.remove_prefix(colon + 1);
    return take_entry(line);
  }
  return {};
}

}  // namespace

bool is_key(std::string_view key) {
  const auto bytes = key.size() == 24 ? base64_decode(key) : std::nullopt;
  return bytes && bytes->size() == 16;
}

std::string make_key(std::string_view sixteen_bytes) { return base64(sixteen_bytes); }

std::string accept_key(std::string_view key) {
  const std::string text = std::string(key) + std::string(kGuid);
  std::array<unsigned char, SHA_DIGEST_LENGTH> digest;
  SHA1(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data());
  return base64({reinterpret_cast<const char*>(digest.data()), digest.size()});
}

bool has_token(std::string_view list, std::string_view token) {
  while (!list.empty()) {
    const std::string_view entry = take_entry(list);
    if (same_word(entry, token)) return true;
  }
  return false;
}

std::string client_request(std::string_view host, std::string_view path, std::string_view key, std::string_view subprotocol) {
  std::string out = "GET ";
  out.append(path).append(" HTTP/1.1\r\nHost: ").append(host);
  out.append("\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ").append(key);
  return out.append("\r\nSec-WebSocket-Protocol: ").append(subprotocol).append("\r\n\r\n");
}

std::string refusal_in(std::string_view head, std::string_view key, std::string_view subprotocol) {
  const std::string_view status = head.substr(0, head.find("\r\n"));
  if (!status.starts_with("HTTP/1.1 101")) return "the answer is \"" + std::string(status.substr(0, 80)) + "\"";
  if (field_of(head, "sec-websocket-accept") != accept_key(key)) return "the answer is not for our key";
  if (field_of(head, "sec-websocket-protocol") != subprotocol) return "the answer does not take " + std::string(subprotocol);
  if (!field_of(head, "sec-websocket-extensions").empty()) return "the answer has extensions that nobody asked for";
  return {};
}

std::string_view choose_subprotocol(std::string_view offered, std::span<const std::string_view> ours) {
  while (!offered.empty()) {
    const std::string_view entry = take_entry(offered);
    const auto found = std::find(ours.begin(), ours.end(), entry);
    if (found != ours.end()) return *found;
  }
  return {};
}

}  // namespace arena::websocket
