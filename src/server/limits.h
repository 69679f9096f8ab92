// The limits among the settings: what happens when each is reached, where that is counted, which test holds it.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace arena::server {

struct Limit {
  std::string_view key;      // of a setting
  std::string_view reached;  // what happens then
  std::string_view counted;  // the topic below $SYS/broker/ that counts it; empty: nothing is lost, somebody waits
  std::string_view test;     // "Suite.Name"
};

std::span<const Limit> limits();
// docs/limits.md.
std::string limits_text();

}  // namespace arena::server
