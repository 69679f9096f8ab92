// What the fields of an upgrade say (RFC 6455, section 4). Fields as texts: whichever HTTP carries them.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace arena::websocket {

inline constexpr std::string_view kVersion = "13";

// Sec-WebSocket-Key: 16 bytes in base64.
bool is_key(std::string_view key);
std::string make_key(std::string_view sixteen_bytes);
// Sec-WebSocket-Accept, which proves that the key was understood.
std::string accept_key(std::string_view key);

// Is `token` (in lower case) in a list with ',' between, whatever its case there?
bool has_token(std::string_view list, std::string_view token);
// The first of the client's list that is among ours; empty: none. Names of subprotocols have their case.
std::string_view choose_subprotocol(std::string_view offered, std::span<const std::string_view> ours);

// A client's part, over HTTP/1.1.
std::string client_request(std::string_view host, std::string_view path, std::string_view key, std::string_view subprotocol);
// Why the head of an answer, with its empty line, is no WebSocket; empty: it is one.
std::string refusal_in(std::string_view head, std::string_view key, std::string_view subprotocol);

}  // namespace arena::websocket
