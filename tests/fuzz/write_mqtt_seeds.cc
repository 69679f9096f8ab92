// Writes the good packets of the shared table as seeds: <folder>/mqtt_packets and <folder>/mqtt_properties.
#include <filesystem>
#include <fstream>
#include <string>

#include "codec/mqtt/packet_cases.h"

using namespace arena::mqtt;

namespace {

void write_file(const std::filesystem::path& folder, std::string name, char selector,
                const std::string& bytes) {
  for (char& c : name) {
    if (c == ' ' || c == '.' || c == ',' || c == '\'') c = '_';
  }
  std::ofstream(folder / name, std::ios::binary) << selector << bytes;
}

// The selector byte of fuzz_mqtt_packets for the first connection that the case speaks of.
char selector_of(const cases::Case& one) {
  const int version = (one.versions & cases::kV5) != 0 ? 2 : (one.versions & cases::kV311) != 0 ? 1 : 0;
  return static_cast<char>(version + ((one.receivers & cases::kServer) != 0 ? 0 : 3));
}

template <typename Cases>
void write_packets(const std::filesystem::path& folder, const std::string& prefix, const Cases& all) {
  for (const cases::Case& one : all) {
    write_file(folder, prefix + std::string(one.name), selector_of(one), cases::bytes_of(one.notation));
  }
}

struct Block {
  std::string_view name;
  PropertyPlace place;
  std::string_view notation;
};

constexpr Block kBlocks[] = {
    {"none", PropertyPlace::publish, R"({})"},
    {"connect", PropertyPlace::connect,
     R"({ 11 FFFFFFFF 21 FFFF 27 00000064 22 000A 19 01 17 00 26 "k" "v" 15 "m" 16 "d" })"},
    {"will", PropertyPlace::will, R"({ 18 00000005 01 01 02 0000000A 03 "t" 08 "r" 09 "c" 26 "k" "v" })"},
    {"connack", PropertyPlace::connack,
     R"({ 11 00000001 21 0001 24 01 25 00 27 00000001 12 "id" 22 0000 1F "r" 26 "k" "v" 28 01 29 00 2A 01 13 003C
          1A "i" 1C "s" 15 "m" 16 "d" })"},
    {"publish", PropertyPlace::publish,
     R"({ 01 01 02 0000003C 23 0007 08 "r/t" 09 "c" 0B 05 0B 8001 26 "k" "v" 26 "k" "" 03 "text/plain" })"},
    {"puback", PropertyPlace::puback, R"({ 1F "no" 26 "k" "v" 26 "k" "v" })"},
    {"subscribe", PropertyPlace::subscribe, R"({ 0B FFFFFF7F 26 "k" "v" })"},
    {"unsubscribe", PropertyPlace::unsubscribe, R"({ 26 "" "" })"},
    {"disconnect", PropertyPlace::disconnect, R"({ 11 0000000A 1F "bye" 1C "s" 26 "k" "v" })"},
    {"auth", PropertyPlace::auth, R"({ 15 "m" 16 "d" 1F "r" 26 "k" "v" })"},
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  const std::filesystem::path packets = std::filesystem::path(argv[1]) / "mqtt_packets";
  const std::filesystem::path properties = std::filesystem::path(argv[1]) / "mqtt_properties";
  std::filesystem::create_directories(packets);
  std::filesystem::create_directories(properties);
  write_packets(packets, "", cases::kGood);
  write_packets(packets, "connect_", cases::kGoodConnects);
  for (const Block& block : kBlocks) {
    write_file(properties, std::string(block.name), static_cast<char>(block.place),
               cases::bytes_of(block.notation));
  }
  return 0;
}
