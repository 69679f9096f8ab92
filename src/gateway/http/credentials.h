// What a request says of who asks, and of where it was made.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "access/authenticator.h"
#include "base/result.h"
#include "codec/http/message.h"

namespace arena::gateway::http {

// Of an Authorization field: "Basic" or "Bearer", then base64 of "user:password". Absent: none, which is not the same as
// empty ones. An error: nothing that can be read.
Result<access::Credentials> credentials_in(const std::string* authorization);

// "localhost", 127.x.x.x or [::1], with or without a port: a name that no stranger's name server can give.
bool is_local_host(std::string_view host);
// Is the web page that asks ("https://a.example:8443") one of the host's own? Of an encrypted connection no page that came without is; the other
// way round somebody in between may have encrypted it.
bool is_same_origin(std::string_view origin, std::string_view host, bool encrypted);

}  // namespace arena::gateway::http
