// The dialects of MQTT that Arena speaks, named by the protocol level that CONNECT carries.
#pragma once

#include <cstdint>
#include <string_view>

namespace arena::mqtt {

enum class Version : uint8_t { v3_1 = 3, v3_1_1 = 4, v5 = 5 };

// The end of the connection that reads a packet: what may arrive depends on it.
enum class Role : uint8_t { server, client };

// "3.1", "3.1.1", "5".
constexpr std::string_view to_string(Version version) {
  switch (version) {
    case Version::v3_1:
      return "3.1";
    case Version::v3_1_1:
      return "3.1.1";
    case Version::v5:
      return "5";
  }
  return "?";
}

}  // namespace arena::mqtt
