// Goal: docs/limits.md says what is true of this source.
#include "server/limits.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <sstream>

#include "server/settings.h"

namespace arena::server {
namespace {

TEST(LimitsPage, NamesEveryLimitAmongTheSettings) {
  for (const Setting& setting : settings()) {
    Config config;
    const Slot slot = setting.slot(config);
    // A number that bounds, not one that chooses.
    const bool is_limit = std::holds_alternative<uint64_t*>(slot) && setting.key != "server.threads" &&
                          setting.key != "mqtt.qos_max" && setting.key != "mqtt.topic_alias_out_max";
    if (!is_limit) continue;
    EXPECT_EQ(std::ranges::count(limits(), setting.key, &Limit::key), 1) << setting.key;
  }
  for (const Limit& limit : limits()) EXPECT_EQ(std::ranges::count(settings(), limit.key, &Setting::key), 1) << limit.key;
}

TEST(LimitsPage, IsCurrent) {
  std::ifstream file(ARENA_SOURCE_DIR "/docs/limits.md");
  std::ostringstream text;
  text << file.rdbuf();
  EXPECT_TRUE(text.str() == limits_text()) << "arena config doc --limits > docs/limits.md";
}

}  // namespace
}  // namespace arena::server
