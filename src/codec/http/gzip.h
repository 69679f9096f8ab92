// Bodies made smaller on the way (RFC 9110, Content-Encoding: gzip).
#pragma once

#include <string>
#include <string_view>

namespace arena::http {

// Does an Accept-Encoding field take gzip? "gzip;q=0" does not.
bool accepts_gzip(std::string_view accept_encoding);
// Empty: it could not be made.
std::string gzip(std::string_view body);

}  // namespace arena::http
