// Goal: what the configuration leaves out or empties never opens the broker.
#include "server/wiring.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

namespace arena::server {
namespace {

struct UsersFile {
  explicit UsersFile(std::string_view text) {
    std::string pattern = (std::filesystem::temp_directory_path() / "arena-wiring-XXXXXX").string();
    ::close(::mkstemp(pattern.data()));
    path = pattern;
    std::ofstream(path) << text;
  }
  ~UsersFile() { std::filesystem::remove(path); }
  std::string path;
};

bool may_publish(const LiveSettings& live, std::string_view topic) {
  return live.policy->decide({Principal{}, "c"}, access::Action::publish, topic).allowed();
}

TEST(Wiring, WithoutAUsersFileAnonymousMayDoAll) {
  const auto live = live_settings_of(Config{}, 1);
  ASSERT_TRUE(live);
  EXPECT_FALSE(live->auth->allow_anonymous);
  EXPECT_TRUE(may_publish(*live, "a"));
}

TEST(Wiring, WhatAnAcknowledgementMeansFollowsTheDataFolder) {
  Config config;
  auto settings = settings_of(config);
  ASSERT_TRUE(settings);
  EXPECT_EQ(settings->broker.level, broker::Level::memory);
  config.store.data = "folder";
  settings = settings_of(config);
  ASSERT_TRUE(settings);
  EXPECT_EQ(settings->broker.level, broker::Level::disk);
  EXPECT_EQ(settings->store_path, "folder");
}

// mosquitto CVE-2018-12550: an empty file of rules allowed everything. So that a file emptied by a full disk
// does not let everybody in, one that is named but has no user denies.
TEST(Wiring, AnEmptyUsersFileLetsNobodyIn) {
  for (const std::string_view text : {"", "\n\n", "# nobody yet\n"}) {
    const UsersFile file(text);
    Config config;
    config.auth.users_file = file.path;
    const auto live = live_settings_of(config, 1);
    ASSERT_TRUE(live);
    EXPECT_EQ(live->auth->allow_anonymous, false) << text;
    EXPECT_FALSE(may_publish(*live, "a")) << text;
  }
}

TEST(Wiring, AnEmptyUsersFileLeavesAnonymousAsConfigured) {
  const UsersFile file("");
  Config config;
  config.auth.users_file = file.path;
  config.auth.allow_anonymous = true;
  const auto live = live_settings_of(config, 1);
  ASSERT_TRUE(live);
  EXPECT_EQ(live->auth->allow_anonymous, true);
  EXPECT_FALSE(may_publish(*live, "a"));
}

// mosquitto CVE-2018-12551 and CVE-2017-7652: what cannot be read refuses the settings; the caller keeps the
// old ones.
TEST(Wiring, AUsersFileThatCannotBeReadRefusesTheSettings) {
  const UsersFile plain("ann:secret\n");
  Config config;
  for (const std::string& path : {plain.path, plain.path + ".none", std::string("/")}) {
    config.auth.users_file = path;
    const auto live = live_settings_of(config, 2);
    ASSERT_FALSE(live) << path;
    EXPECT_TRUE(live.error().reason.starts_with("auth.users_file: ")) << live.error().reason;
  }
}

}  // namespace
}  // namespace arena::server
