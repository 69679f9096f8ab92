// Good and malformed packets of every kind and version: one table for the tests of the codec and of what
// stands on it, and the seeds of the fuzz targets. For tests only.
//
// Notation of the bytes: hex digits are bytes; 'abc' its bytes; "abc" a string with its two bytes of length;
// { ... } what is inside with its length as a variable byte integer in front. So R"(30 { "a" {} 'hello' })"
// is a PUBLISH of MQTT 5 to topic a, without properties.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "codec/mqtt/packet.h"
#include "codec/mqtt/varint.h"

namespace arena::mqtt::cases {

inline constexpr unsigned kV31 = 1, kV311 = 2, kV5 = 4, kV3x = kV31 | kV311, kAll = kV3x | kV5;
inline constexpr unsigned kServer = 1, kClient = 2, kBoth = 3;

struct Case {
  std::string_view name;
  unsigned versions;   // connections on which it means this
  unsigned receivers;  // ends at which it means this
  std::string_view notation;
  Reason fault = Reason::success;  // success: a good packet
};

inline unsigned bit_of(Version version) {
  return 1U << (static_cast<unsigned>(version) - 3);
}
inline unsigned bit_of(Role receiver) {
  return receiver == Role::server ? kServer : kClient;
}

// Takes one notation apart. A badly written one gives an empty string, which no test takes for a packet.
class Notation {
 public:
  explicit Notation(std::string_view text) : rest_(text) {}
  std::string bytes() {
    std::string out = group();
    return rest_.empty() ? out : std::string();
  }

 private:
  static int digit(char c) {
    return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
  }
  std::string_view quoted(char quote) {
    const std::size_t end = rest_.find(quote, 1);
    const std::string_view inside = rest_.substr(1, end - 1);
    rest_.remove_prefix(end + 1);
    return inside;
  }
  static std::string with_length(const std::string& inside) {
    std::string out;
    auto left = static_cast<uint32_t>(inside.size());
    for (; left >= 128; left >>= 7) out.push_back(static_cast<char>(left | 128));
    out.push_back(static_cast<char>(left));
    return out + inside;
  }
  // Up to the end or the closing brace, which stays.
  std::string group() {
    std::string out;
    while (!rest_.empty() && rest_[0] != '}') {
      if (rest_[0] == ' ' || rest_[0] == '\n') {
        rest_.remove_prefix(1);
      } else if (rest_[0] == '\'') {
        out += quoted('\'');
      } else if (rest_[0] == '"') {
        const std::string_view text = quoted('"');
        out.push_back(static_cast<char>(text.size() >> 8));
        out.push_back(static_cast<char>(text.size()));
        out += text;
      } else if (rest_[0] == '{') {
        rest_.remove_prefix(1);
        out += with_length(group());
        rest_.remove_prefix(1);
      } else {
        out.push_back(static_cast<char>(digit(rest_[0]) << 4 | digit(rest_[1])));
        rest_.remove_prefix(2);
      }
    }
    return out;
  }
  std::string_view rest_;
};

inline std::string bytes_of(std::string_view notation) {
  return Notation(notation).bytes();
}

inline constexpr Case kGood[] = {
    {"publish", kV3x, kBoth, R"(30 { "a/b" 'hello' })"},
    {"publish v5", kV5, kBoth, R"(30 { "a/b" {} 'hello' })"},
    {"publish empty payload", kV3x, kBoth, R"(31 { "a/b" })"},
    {"publish empty payload v5", kV5, kBoth, R"(31 { "a/b" {} })"},
    {"publish qos 1 dup retain", kV3x, kBoth, R"(3B { "t" FFFF 'x' })"},
    {"publish qos 2", kV3x, kBoth, R"(34 { "$SYS/t" 0001 00FF80 })"},
    {"publish qos 1 v5", kV5, kBoth, R"(32 { "t" 0001 {} 'x' })"},
    {"publish qos 2 dup retain v5", kV5, kBoth, R"(3D { "t" 0100 {} 'x' })"},
    {"publish text of many bytes", kAll, kBoth, R"(30 { 0009 C3A9 E282AC F09F9880 00 })"},
    {"publish with a byte order mark", kV3x, kBoth, R"(30 { 0004 EFBBBF 'a' 00 })"},
    {"publish alias only", kV5, kBoth, R"(30 { "" { 23 0001 } 'x' })"},
    {"publish alias with topic", kV5, kBoth, R"(30 { "t" { 23 FFFF } 'x' })"},
    {"publish every property", kV5, kBoth,
     R"(30 { "t" { 01 01 02 0000003C 23 0007 08 "r/t" 09 0003 00FF01 26 "k" "v" 26 "k" "" 03 "text/plain" } 'x' })"},
    {"publish payload format 0", kV5, kBoth, R"(30 { "t" { 01 00 02 00000000 } })"},
    {"publish subscription identifiers", kV5, kClient, R"(30 { "t" { 0B 01 0B FFFFFF7F 0B 8001 } 'x' })"},
    {"puback", kAll, kBoth, R"(40 { 0001 })"},
    {"pubrec", kAll, kBoth, R"(50 { FFFF })"},
    {"pubrel", kAll, kBoth, R"(62 { 0001 })"},
    {"pubcomp", kAll, kBoth, R"(70 { 0001 })"},
    {"puback no matching subscribers", kV5, kBoth, R"(40 { 0001 10 })"},
    {"puback empty properties", kV5, kBoth, R"(40 { 0001 00 {} })"},
    {"puback refused with properties", kV5, kBoth, R"(40 { 0001 87 { 1F "no" 26 "k" "v" 26 "k" "v" } })"},
    {"pubrec quota exceeded", kV5, kBoth, R"(50 { 0001 97 })"},
    {"pubrel not found", kV5, kBoth, R"(62 { 0001 92 { 1F "gone" } })"},
    {"pubcomp not found", kV5, kBoth, R"(70 { 0001 92 })"},
    {"subscribe", kV3x, kServer, R"(82 { 0001 "a/#" 00 "+" 01 "b" 02 })"},
    {"subscribe v5", kV5, kServer, R"(82 { 0001 {} "a/#" 00 "+" 2D "b" 12 })"},
    {"subscribe shared v5", kV5, kServer, R"(82 { 0001 {} "$share/g/a" 09 })"},
    {"subscribe identifier v5", kV5, kServer, R"(82 { 0001 { 0B FFFFFF7F 26 "k" "v" } "a" 00 })"},
    {"suback", kV3x, kClient, R"(90 { 0001 00 01 02 80 })"},
    {"suback v5", kV5, kClient, R"(90 { 0001 { 1F "so" 26 "k" "v" } 00 01 02 80 83 87 8F 91 97 9E A1 A2 })"},
    {"unsubscribe", kV3x, kServer, R"(A2 { 0001 "a/#" "+" })"},
    {"unsubscribe v5", kV5, kServer, R"(A2 { 0001 { 26 "k" "v" } "a/#" "+" })"},
    {"unsuback", kV3x, kClient, R"(B0 { 0001 })"},
    {"unsuback v5", kV5, kClient, R"(B0 { 0001 { 1F "so" } 00 11 80 83 87 8F 91 })"},
    {"pingreq", kAll, kServer, R"(C0 {})"},
    {"pingresp", kAll, kClient, R"(D0 {})"},
    {"disconnect", kAll, kServer, R"(E0 {})"},
    {"disconnect empty from server", kV5, kClient, R"(E0 {})"},
    {"disconnect reason only", kV5, kServer, R"(E0 { 04 })"},
    {"disconnect success, no properties", kV5, kServer, R"(E0 { 00 {} })"},
    {"disconnect session expiry", kV5, kServer, R"(E0 { 00 { 11 0000000A 1F "bye" 26 "k" "v" } })"},
    {"disconnect moved", kV5, kClient, R"(E0 { 9D { 1C "other:1883" 1F "moved" } })"},
    {"disconnect taken over", kV5, kClient, R"(E0 { 8E })"},
    {"auth empty", kV5, kClient, R"(F0 {})"},
    {"auth continue", kV5, kBoth, R"(F0 { 18 { 15 "m" 16 0002 00FF 1F "go" 26 "k" "v" } })"},
    {"auth again", kV5, kServer, R"(F0 { 19 { 15 "m" } })"},
    {"connack", kV3x, kClient, R"(20 { 00 00 })"},
    {"connack session present", kV311, kClient, R"(20 { 01 00 })"},
    {"connack refused", kV3x, kClient, R"(20 { 00 05 })"},
    {"connack v5", kV5, kClient, R"(20 { 01 00 {} })"},
    {"connack refused v5", kV5, kClient, R"(20 { 00 9F { 1F "slow" } })"},
    {"connack every property", kV5, kClient,
     R"(20 { 00 00 { 11 00000001 21 0001 24 01 25 00 27 00000001 12 "id" 22 0000 1F "r" 26 "k" "v" 28 01 29 00
        2A 01 13 003C 1A "i" 1C "s" 15 "m" 16 0001 00 } })"},
    {"3.1 ignores flags of SUBSCRIBE", kV31, kServer, R"(8A { 0001 "a" 00 })"},
    {"3.1 ignores flags of PUBREL", kV31, kBoth, R"(6B { 0001 })"},
    {"3.1 ignores flags of PINGREQ", kV31, kServer, R"(C9 {})"},
    {"3.1 ignores DUP at QoS 0", kV31, kBoth, R"(38 { "a" })"},
    {"3.1 ignores unused subscription options", kV31, kServer, R"(82 { 0001 "a" FD })"},
    {"3.1 ignores CONNACK's reserved byte", kV31, kClient, R"(20 { 77 00 })"},
    {"3.x length of two bytes where one does", kV3x, kServer, R"(C0 8000)"},
};

// At the server, whatever the connection's version: the packet tells its own.
inline constexpr Case kGoodConnects[] = {
    {"3.1", kV31, kServer, R"(10 { "MQIsdp" 03 02 003C "client" })"},
    {"3.1 loose flags", kV31, kServer, R"(19 { "MQIsdp" 03 39 003C "client" })"},
    {"3.1 announced credentials missing", kV31, kServer, R"(10 { "MQIsdp" 03 C2 003C "client" })"},
    {"3.1 announced password missing", kV31, kServer, R"(10 { "MQIsdp" 03 C2 003C "client" "u" })"},
    {"3.1 will", kV31, kServer, R"(10 { "MQIsdp" 03 EE 003C "client" "w/t" "bye" "u" "p" })"},
    {"3.1.1", kV311, kServer, R"(10 { "MQTT" 04 02 003C "client" })"},
    {"3.1.1 empty client id", kV311, kServer, R"(10 { "MQTT" 04 02 0000 "" })"},
    {"3.1.1 user name", kV311, kServer, R"(10 { "MQTT" 04 80 003C "client" "u" })"},
    {"3.1.1 everything", kV311, kServer,
     R"(10 { "MQTT" 04 F6 FFFF "client" "w/t" 0002 00FF "u" 0002 FF00 })"},
    {"3.1.1 padded length", kV311, kServer, R"(10 8D00 "MQTT" 04 02 003C "c")"},
    {"5", kV5, kServer, R"(10 { "MQTT" 05 02 003C {} "client" })"},
    {"5 empty client id, kept session", kV5, kServer, R"(10 { "MQTT" 05 00 003C {} "" })"},
    {"5 password alone", kV5, kServer, R"(10 { "MQTT" 05 42 003C {} "client" "p" })"},
    {"5 every property", kV5, kServer,
     R"(10 { "MQTT" 05 C2 003C { 11 FFFFFFFF 21 FFFF 27 00000064 22 000A 19 01 17 00 26 "k" "v" 26 "k" "w" 15 "m"
        16 0001 00 } "client" "u" "p" })"},
    {"5 will", kV5, kServer,
     R"(10 { "MQTT" 05 2E 003C {} "client" { 18 00000005 01 01 02 0000000A 03 "t" 08 "r" 09 "c" 26 "k" "v" } "w"
        "bye" })"},
    {"5 will without properties", kV5, kServer, R"(10 { "MQTT" 05 04 003C {} "client" {} "w" "bye" })"},
};

inline constexpr Reason kMalformed = Reason::malformed_packet;
inline constexpr Reason kProtocol = Reason::protocol_error;

inline constexpr Case kBad[] = {
    // The fixed header.
    {"packet type 0", kAll, kBoth, R"(00 {})", kMalformed},
    {"packet type 15", kV3x, kBoth, R"(F0 {})", kMalformed},
    {"length of five bytes", kAll, kBoth, R"(30 8080808001)", kMalformed},
    {"length without end", kAll, kBoth, R"(30 FFFFFFFF)", kMalformed},
    {"padded length", kV5, kServer, R"(C0 8000)", kMalformed},
    {"padded length of four bytes", kV5, kBoth, R"(30 85808000 "a" {} 'x')", kMalformed},
    {"CONNECT from a server", kAll, kClient, R"(10 { "MQTT" 04 02 003C "c" })", kProtocol},
    {"CONNACK from a client", kAll, kServer, R"(20 { 00 00 })", kProtocol},
    {"SUBSCRIBE from a server", kAll, kClient, R"(82 { 0001 "a" 00 })", kProtocol},
    {"SUBACK from a client", kAll, kServer, R"(90 { 0001 00 })", kProtocol},
    {"UNSUBSCRIBE from a server", kAll, kClient, R"(A2 { 0001 "a" })", kProtocol},
    {"UNSUBACK from a client", kAll, kServer, R"(B0 { 0001 })", kProtocol},
    {"PINGREQ from a server", kAll, kClient, R"(C0 {})", kProtocol},
    {"PINGRESP from a client", kAll, kServer, R"(D0 {})", kProtocol},
    {"DISCONNECT from a 3.x server", kV3x, kClient, R"(E0 {})", kProtocol},
    {"flags of CONNACK", kV311 | kV5, kClient, R"(21 { 00 00 })", kMalformed},
    {"flags of PUBACK", kV311 | kV5, kBoth, R"(42 { 0001 })", kMalformed},
    {"flags of PUBREC", kV311 | kV5, kBoth, R"(58 { 0001 })", kMalformed},
    {"flags of PUBREL", kV311 | kV5, kBoth, R"(60 { 0001 })", kMalformed},
    {"more flags of PUBREL", kV311 | kV5, kBoth, R"(6A { 0001 })", kMalformed},
    {"flags of PUBCOMP", kV311 | kV5, kBoth, R"(71 { 0001 })", kMalformed},
    {"flags of SUBSCRIBE", kV311 | kV5, kServer, R"(80 { 0001 "a" 00 })", kMalformed},
    {"flags of SUBACK", kV311 | kV5, kClient, R"(92 { 0001 00 })", kMalformed},
    {"flags of UNSUBSCRIBE", kV311 | kV5, kServer, R"(A0 { 0001 "a" })", kMalformed},
    {"flags of UNSUBACK", kV311 | kV5, kClient, R"(B2 { 0001 })", kMalformed},
    {"flags of PINGREQ", kV311 | kV5, kServer, R"(C1 {})", kMalformed},
    {"flags of PINGRESP", kV311 | kV5, kClient, R"(D8 {})", kMalformed},
    {"flags of DISCONNECT", kV311 | kV5, kServer, R"(E1 {})", kMalformed},
    {"flags of AUTH", kV5, kBoth, R"(F1 { 18 { 15 "m" } })", kMalformed},
    // Text.
    {"topic not UTF-8", kAll, kBoth, R"(30 { 0002 'a' C3 00 })", kMalformed},
    {"topic overlong", kAll, kBoth, R"(30 { 0002 C0AF 00 })", kMalformed},
    {"topic with a surrogate", kAll, kBoth, R"(30 { 0003 EDA080 00 })", kMalformed},
    {"topic above U+10FFFF", kAll, kBoth, R"(30 { 0004 F4908080 00 })", kMalformed},
    {"topic with U+0000", kAll, kBoth, R"(30 { 0003 'a' 00 'b' 00 })", kMalformed},
    {"filter not UTF-8", kV3x, kServer, R"(82 { 0001 0001 FF 00 })", kMalformed},
    {"filter not UTF-8 v5", kV5, kServer, R"(82 { 0001 {} 0001 FF 00 })", kMalformed},
    {"unsubscribe with U+0000", kV3x, kServer, R"(A2 { 0001 0001 00 })", kMalformed},
    {"user property not UTF-8", kV5, kBoth, R"(30 { "t" { 26 "k" 0001 FF } })", kMalformed},
    {"reason string with U+0000", kV5, kBoth, R"(40 { 0001 00 { 1F 0001 00 } })", kMalformed},
    // PUBLISH.
    {"qos 3", kAll, kBoth, R"(36 { "t" 0001 00 })", kMalformed},
    {"DUP at qos 0", kV311 | kV5, kBoth, R"(38 { "t" 00 })", kMalformed},
    {"packet id 0", kAll, kBoth, R"(32 { "t" 0000 00 })", kProtocol},
    {"no packet id", kAll, kBoth, R"(32 { "t" 00 })", kMalformed},
    {"no topic", kAll, kBoth, R"(30 {})", kMalformed},
    {"half a topic", kAll, kBoth, R"(30 { 0005 'abc' })", kMalformed},
    {"topic with +", kAll, kBoth, R"(30 { "a/+" 00 })", kMalformed},
    {"topic with #", kAll, kBoth, R"(30 { "#" 00 })", kMalformed},
    {"empty topic", kAll, kBoth, R"(30 { "" 00 })", kProtocol},
    {"empty topic and other properties", kV5, kBoth, R"(30 { "" { 01 01 } })", kProtocol},
    {"alias 0", kV5, kBoth, R"(30 { "t" { 23 0000 } })", Reason::topic_alias_invalid},
    {"alias twice", kV5, kBoth, R"(30 { "t" { 23 0001 23 0001 } })", kProtocol},
    {"payload format 2", kV5, kBoth, R"(30 { "t" { 01 02 } })", kProtocol},
    {"response topic with +", kV5, kBoth, R"(30 { "t" { 08 "a/+" } })", kMalformed},
    {"response topic empty", kV5, kBoth, R"(30 { "t" { 08 "" } })", kMalformed},
    {"content type twice", kV5, kBoth, R"(30 { "t" { 03 "a" 03 "a" } })", kProtocol},
    {"subscription identifier from a client", kV5, kServer, R"(30 { "t" { 0B 01 } })", kProtocol},
    {"subscription identifier 0", kV5, kBoth, R"(30 { "t" { 0B 00 } })", kProtocol},
    {"padded subscription identifier", kV5, kBoth, R"(30 { "t" { 0B 8100 } })", kMalformed},
    {"subscription identifier of five bytes", kV5, kBoth, R"(30 { "t" { 0B 8080808001 } })", kMalformed},
    // Property blocks.
    {"unknown property", kV5, kBoth, R"(30 { "t" { 7F 00 } })", kMalformed},
    {"unknown property of two bytes", kV5, kBoth, R"(30 { "t" { 8101 00 } })", kMalformed},
    {"property 0", kV5, kBoth, R"(30 { "t" { 00 } })", kMalformed},
    {"another packet's property", kV5, kBoth, R"(30 { "t" { 21 0001 } })", kMalformed},
    {"properties past the end", kV5, kBoth, R"(30 { "t" 7F 01 01 })", kMalformed},
    {"half a property", kV5, kBoth, R"(30 { "t" { 02 00 } })", kMalformed},
    {"property running out of its block", kV5, kBoth, R"(30 { "t" { 03 0004 'ab' } 'cd' })", kMalformed},
    {"padded property length", kV5, kBoth, R"(30 { "t" 8000 })", kMalformed},
    {"property length of five bytes", kV5, kBoth, R"(30 { "t" 8080808000 })", kMalformed},
    {"no property length", kV5, kBoth, R"(30 { "t" })", kMalformed},
    // Acknowledgements.
    {"PUBACK id 0", kAll, kBoth, R"(40 { 0000 })", kProtocol},
    {"PUBACK of one byte", kAll, kBoth, R"(40 { 00 })", kMalformed},
    {"PUBACK of no byte", kAll, kBoth, R"(40 {})", kMalformed},
    {"PUBACK with a reason", kV3x, kBoth, R"(40 { 0001 00 })", kMalformed},
    {"PUBACK with PUBREL's reason", kV5, kBoth, R"(40 { 0001 92 })", kProtocol},
    {"PUBACK unlisted reason", kV5, kBoth, R"(40 { 0001 7F })", kProtocol},
    {"PUBACK with more", kV5, kBoth, R"(40 { 0001 00 {} 00 })", kMalformed},
    {"PUBACK reason string twice", kV5, kBoth, R"(40 { 0001 00 { 1F "a" 1F "a" } })", kProtocol},
    {"PUBREC unlisted reason", kV5, kBoth, R"(50 { 0001 81 })", kProtocol},
    {"PUBREL with PUBACK's reason", kV5, kBoth, R"(62 { 0001 10 })", kProtocol},
    {"PUBCOMP with PUBACK's reason", kV5, kBoth, R"(70 { 0001 80 })", kProtocol},
    // SUBSCRIBE and UNSUBSCRIBE.
    {"SUBSCRIBE id 0", kAll, kServer, R"(82 { 0000 00 "a" 00 })", kProtocol},
    {"SUBSCRIBE without filters", kV3x, kServer, R"(82 { 0001 })", kProtocol},
    {"SUBSCRIBE without filters v5", kV5, kServer, R"(82 { 0001 {} })", kProtocol},
    {"SUBSCRIBE without options", kV3x, kServer, R"(82 { 0001 "a" })", kMalformed},
    {"SUBSCRIBE without options v5", kV5, kServer, R"(82 { 0001 {} "a" })", kMalformed},
    {"SUBSCRIBE qos 3", kV3x, kServer, R"(82 { 0001 "a" 03 })", kMalformed},
    {"SUBSCRIBE qos 3 v5", kV5, kServer, R"(82 { 0001 {} "a" 03 })", kProtocol},
    {"SUBSCRIBE reserved bits", kV311, kServer, R"(82 { 0001 "a" 04 })", kMalformed},
    {"SUBSCRIBE reserved bits v5", kV5, kServer, R"(82 { 0001 {} "a" 40 })", kMalformed},
    {"SUBSCRIBE retain handling 3", kV5, kServer, R"(82 { 0001 {} "a" 30 })", kProtocol},
    {"SUBSCRIBE no local and shared", kV5, kServer, R"(82 { 0001 {} "$share/g/a" 04 })", kProtocol},
    {"SUBSCRIBE identifier 0", kV5, kServer, R"(82 { 0001 { 0B 00 } "a" 00 })", kProtocol},
    {"SUBSCRIBE two identifiers", kV5, kServer, R"(82 { 0001 { 0B 01 0B 02 } "a" 00 })", kProtocol},
    {"UNSUBSCRIBE id 0", kAll, kServer, R"(A2 { 0000 00 "a" })", kProtocol},
    {"UNSUBSCRIBE without filters", kV3x, kServer, R"(A2 { 0001 })", kProtocol},
    {"UNSUBSCRIBE without filters v5", kV5, kServer, R"(A2 { 0001 {} })", kProtocol},
    {"UNSUBSCRIBE cut", kV3x, kServer, R"(A2 { 0001 0003 'ab' })", kMalformed},
    {"UNSUBSCRIBE reason string", kV5, kServer, R"(A2 { 0001 { 1F "a" } "a" })", kMalformed},
    {"SUBACK reserved code", kV3x, kClient, R"(90 { 0001 03 })", kMalformed},
    {"SUBACK unlisted reason", kV5, kClient, R"(90 { 0001 {} 03 })", kProtocol},
    {"SUBACK without codes", kV3x, kClient, R"(90 { 0001 })", kMalformed},
    {"SUBACK without reasons", kV5, kClient, R"(90 { 0001 {} })", kProtocol},
    {"UNSUBACK with a body", kV3x, kClient, R"(B0 { 0001 00 })", kMalformed},
    {"UNSUBACK unlisted reason", kV5, kClient, R"(B0 { 0001 {} 01 })", kProtocol},
    // The rest.
    {"PINGREQ with a body", kAll, kServer, R"(C0 { 00 })", kMalformed},
    {"PINGRESP with a body", kAll, kClient, R"(D0 { 00 })", kMalformed},
    {"DISCONNECT with a body", kV3x, kServer, R"(E0 { 00 })", kMalformed},
    {"DISCONNECT unlisted reason", kV5, kBoth, R"(E0 { 01 })", kProtocol},
    {"DISCONNECT with a server's reason", kV5, kServer, R"(E0 { 8B })", kProtocol},
    {"DISCONNECT with a client's reason", kV5, kClient, R"(E0 { 04 })", kProtocol},
    {"DISCONNECT session expiry from a server", kV5, kClient, R"(E0 { 8B { 11 00000000 } })", kProtocol},
    {"DISCONNECT server reference from a client", kV5, kServer, R"(E0 { 00 { 1C "s" } })", kProtocol},
    {"AUTH success from a client", kV5, kServer, R"(F0 {})", kProtocol},
    {"AUTH again from a server", kV5, kClient, R"(F0 { 19 { 15 "m" } })", kProtocol},
    {"AUTH without properties", kV5, kBoth, R"(F0 { 18 })", kMalformed},
    {"AUTH without a method", kV5, kBoth, R"(F0 { 18 { 16 0001 00 } })", kProtocol},
    {"AUTH unlisted reason", kV5, kBoth, R"(F0 { 87 { 15 "m" } })", kProtocol},
    {"CONNACK reserved flags", kV311 | kV5, kClient, R"(20 { 02 00 00 })", kMalformed},
    {"CONNACK reserved code", kV3x, kClient, R"(20 { 00 06 })", kMalformed},
    {"CONNACK unlisted reason", kV5, kClient, R"(20 { 00 8D {} })", kProtocol},
    {"CONNACK session present in a refusal", kV311, kClient, R"(20 { 01 05 })", kProtocol},
    {"CONNACK session present in a refusal v5", kV5, kClient, R"(20 { 01 87 {} })", kProtocol},
    {"CONNACK receive maximum 0", kV5, kClient, R"(20 { 00 00 { 21 0000 } })", kProtocol},
    {"CONNACK maximum packet size 0", kV5, kClient, R"(20 { 00 00 { 27 00000000 } })", kProtocol},
    {"CONNACK maximum qos 2", kV5, kClient, R"(20 { 00 00 { 24 02 } })", kProtocol},
    {"CONNACK retain available 2", kV5, kClient, R"(20 { 00 00 { 25 02 } })", kProtocol},
    {"CONNACK data without a method", kV5, kClient, R"(20 { 00 00 { 16 0000 } })", kProtocol},
};

inline constexpr Case kBadConnects[] = {
    {"another name", kAll, kServer, R"(10 { "MQTX" 04 02 003C "c" })", Reason::unsupported_protocol_version},
    {"lower case name", kAll, kServer, R"(10 { "mqtt" 04 02 003C "c" })",
     Reason::unsupported_protocol_version},
    {"level 6", kAll, kServer, R"(10 { "MQTT" 06 02 003C {} "c" })", Reason::unsupported_protocol_version},
    {"a bridge's level", kAll, kServer, R"(10 { "MQTT" 84 02 003C "c" })",
     Reason::unsupported_protocol_version},
    {"3.1 name with level 4", kAll, kServer, R"(10 { "MQIsdp" 04 02 003C "c" })",
     Reason::unsupported_protocol_version},
    {"3.1.1 name with level 3", kAll, kServer, R"(10 { "MQTT" 03 02 003C "c" })",
     Reason::unsupported_protocol_version},
    {"name cut", kAll, kServer, R"(10 { 0006 'MQ' })", kMalformed},
    {"no body", kAll, kServer, R"(10 {})", kMalformed},
    {"flags 3.1.1", kAll, kServer, R"(11 { "MQTT" 04 02 003C "c" })", kMalformed},
    {"flags 5", kAll, kServer, R"(12 { "MQTT" 05 02 003C {} "c" })", kMalformed},
    {"padded length 5", kAll, kServer, R"(10 8E00 "MQTT" 05 02 003C {} "c")", kMalformed},
    {"reserved flag 3.1.1", kAll, kServer, R"(10 { "MQTT" 04 03 003C "c" })", kMalformed},
    {"reserved flag 5", kAll, kServer, R"(10 { "MQTT" 05 03 003C {} "c" })", kMalformed},
    {"will qos 3", kAll, kServer, R"(10 { "MQTT" 04 1E 003C "c" "w" "p" })", kMalformed},
    {"will qos 3 in 3.1", kAll, kServer, R"(10 { "MQIsdp" 03 1E 003C "c" "w" "p" })", kMalformed},
    {"will qos without a will", kAll, kServer, R"(10 { "MQTT" 04 0A 003C "c" })", kMalformed},
    {"will retain without a will", kAll, kServer, R"(10 { "MQTT" 05 22 003C {} "c" })", kMalformed},
    {"will missing", kAll, kServer, R"(10 { "MQTT" 04 06 003C "c" })", kMalformed},
    {"will topic empty", kAll, kServer, R"(10 { "MQTT" 04 06 003C "c" "" "p" })", kMalformed},
    {"will topic with #", kAll, kServer, R"(10 { "MQTT" 05 06 003C {} "c" {} "w/#" "p" })", kMalformed},
    {"password without a user name", kAll, kServer, R"(10 { "MQTT" 04 42 003C "c" "p" })", kMalformed},
    {"3.1.1 announced credentials missing", kAll, kServer, R"(10 { "MQTT" 04 C2 003C "c" })", kMalformed},
    {"client id missing", kAll, kServer, R"(10 { "MQTT" 04 02 003C })", kMalformed},
    {"client id not UTF-8", kAll, kServer, R"(10 { "MQTT" 04 02 003C 0002 FFFE })", kMalformed},
    {"user name with U+0000", kAll, kServer, R"(10 { "MQTT" 05 82 003C {} "c" 0001 00 })", kMalformed},
    {"empty client id, kept session", kAll, kServer, R"(10 { "MQTT" 04 00 003C "" })",
     Reason::client_identifier_not_valid},
    {"more than the fields", kAll, kServer, R"(10 { "MQTT" 04 02 003C "c" 'more' })", kMalformed},
    {"receive maximum 0", kAll, kServer, R"(10 { "MQTT" 05 02 003C { 21 0000 } "c" })", kProtocol},
    {"maximum packet size 0", kAll, kServer, R"(10 { "MQTT" 05 02 003C { 27 00000000 } "c" })", kProtocol},
    {"request problem information 2", kAll, kServer, R"(10 { "MQTT" 05 02 003C { 17 02 } "c" })", kProtocol},
    {"request response information 2", kAll, kServer, R"(10 { "MQTT" 05 02 003C { 19 02 } "c" })", kProtocol},
    {"session expiry twice", kAll, kServer, R"(10 { "MQTT" 05 02 003C { 11 00000001 11 00000001 } "c" })",
     kProtocol},
    {"data without a method", kAll, kServer, R"(10 { "MQTT" 05 02 003C { 16 "x" } "c" })", kProtocol},
    {"PUBLISH's property", kAll, kServer, R"(10 { "MQTT" 05 02 003C { 23 0001 } "c" })", kMalformed},
    {"will's property", kAll, kServer, R"(10 { "MQTT" 05 02 003C { 18 00000001 } "c" })", kMalformed},
    {"CONNECT's property in the will", kAll, kServer,
     R"(10 { "MQTT" 05 06 003C {} "c" { 21 0001 } "w" "p" })", kMalformed},
};

}  // namespace arena::mqtt::cases
