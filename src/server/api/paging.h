// What the requests for lists have in common: ?limit=, ?topic=, and ?after= with what the page before called `next`.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "server/api/api.h"

namespace arena::server {

inline constexpr std::size_t kPageMax = 1000;

// Each nullopt when it could be read.
std::optional<ApiResponse> read_limit(const std::string& value, std::size_t& limit);
std::optional<ApiResponse> read_filter(const std::string& value, std::string& filter);
// `place`: what cursor_of() was given.
std::optional<ApiResponse> read_cursor(const std::string& value, std::string& place);
ApiResponse unknown_parameter(const std::string& name, std::string_view known);

// Opaque to clients, and nothing that a query would have to encode but '='.
std::string cursor_of(std::string_view place);
// `items`: JSON objects with commas between.
ApiResponse page_answer(const std::string& items, bool more, std::string_view next_place);

}  // namespace arena::server
