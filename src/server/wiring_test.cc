// Goal: what the configuration leaves out or empties never opens the broker; what it limits is limited.
#include "server/wiring.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <string_view>
#include <variant>

#include "server/limits.h"
#include "server/settings.h"

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

// What a room was given for each limit.
#define GIVEN(field) [](const Settings& settings) { return static_cast<uint64_t>(settings.field); }
const std::map<std::string_view, uint64_t (*)(const Settings&)> kGiven = {
    {"limits.connections_max", GIVEN(live.mqtt->connections_max)},
    {"limits.connections_per_address_max", GIVEN(live.mqtt->connections_per_address_max)},
    {"limits.connects_per_address_per_s", GIVEN(live.mqtt->connects_per_address_per_s)},
    {"limits.half_open_max", GIVEN(live.mqtt->half_open_max)},
    {"limits.password_queue_max", GIVEN(password_queue_max)},
    {"mqtt.connect_timeout_ms", GIVEN(live.mqtt->connect_timeout_ms)},
    {"mqtt.connect_bytes_max", GIVEN(live.mqtt->connect_bytes_max)},
    {"mqtt.client_id_bytes_max", GIVEN(live.mqtt->client_id_bytes_max)},
    {"mqtt.keepalive_max_s", GIVEN(live.mqtt->keepalive_max_s)},
    {"mqtt.packet_bytes_max", GIVEN(live.mqtt->packet_bytes_max)},
    {"mqtt.user_properties_max", GIVEN(live.mqtt->user_properties_max)},
    {"mqtt.user_property_bytes_max", GIVEN(live.mqtt->user_property_bytes_max)},
    {"mqtt.filters_per_subscribe_max", GIVEN(live.mqtt->filters_per_subscribe_max)},
    {"mqtt.topic_alias_max", GIVEN(live.mqtt->topic_alias_max)},
    {"http.request_timeout_ms", GIVEN(live.http->request_timeout_ms)},
    {"http.idle_timeout_ms", GIVEN(live.http->idle_timeout_ms)},
    {"http.head_bytes_max", GIVEN(live.http->head_bytes_max)},
    {"http.fields_max", GIVEN(live.http->fields_max)},
    {"http.body_bytes_max", GIVEN(live.http->body_bytes_max)},
    {"http.batch_max", GIVEN(live.http->batch_max)},
    {"websocket.frame_bytes_max", GIVEN(live.websocket->value.decode.frame_bytes_max)},
    {"websocket.message_bytes_max", GIVEN(live.websocket->value.decode.message_bytes_max)},
    {"websocket.idle_frames_per_s", GIVEN(live.websocket->value.idle_frames_per_s)},
    {"debug.echo_bytes_max", GIVEN(echo->inflate.bytes_max)},
    {"debug.inflate_ratio_max", GIVEN(echo->inflate.ratio_max)},
    {"http.event_streams_max", GIVEN(live.http->event_streams_max)},
    {"http.event_streams_per_user_max", GIVEN(live.http->event_streams_per_user_max)},
    {"http.pipelined_max", GIVEN(live.http->pipelined_max)},
    {"http.uploads_bytes_max", GIVEN(live.http->uploads_bytes_max)},
    {"http.streams_max", GIVEN(live.http->streams_max)},
    {"http.bodies_bytes_max", GIVEN(live.http->bodies_bytes_max)},
    {"http.stream_output_bytes_max", GIVEN(live.http->stream_output_bytes_max)},
    {"http.stall_timeout_ms", GIVEN(live.http->stall_timeout_ms)},
    {"http.resets_per_s", GIVEN(live.http->resets_per_s)},
    {"http.control_frames_per_s", GIVEN(live.http->control_frames_per_s)},
    {"http.continuations_max", GIVEN(live.http->continuations_max)},
    {"tls.session_s", GIVEN(tls_session_s)},
    {"limits.topic_length_max", GIVEN(live.mqtt->topics.length_max)},
    {"limits.topic_depth_max", GIVEN(live.mqtt->topics.depth_max)},
    {"mqtt.session_expiry_max_s", GIVEN(broker.session_expiry_max_s)},
    {"limits.subscriptions_per_session_max", GIVEN(broker.subscriptions_per_session_max)},
    {"limits.inflight_per_session_max", GIVEN(broker.inflight_per_session_max)},
    {"limits.queued_bytes_per_session_max", GIVEN(broker.queued_bytes_per_session_max)},
    {"limits.queued_bytes_max", GIVEN(broker.queued_bytes_max)},
    {"limits.output_bytes_per_connection_max", GIVEN(output_bytes_per_connection_max)},
    {"limits.output_bytes_max", GIVEN(output_bytes_max)},
    {"mqtt.receive_max", GIVEN(live.mqtt->receive_max)},
    {"mqtt.acks_pending_max", GIVEN(live.mqtt->acks_pending_max)},
    {"limits.cross_core_bytes_max", GIVEN(broker.cross_core_bytes_max)},
    {"limits.retained_messages_max", GIVEN(broker.retained_messages_max)},
    {"limits.retained_bytes_max", GIVEN(broker.retained_bytes_max)},
    {"limits.inbox_bytes_max", GIVEN(broker.inbox_bytes_max)},
    {"limits.streams_max", GIVEN(broker.streams_max)},
    {"limits.stream_bytes_max", GIVEN(broker.stream_bytes_max)},
    {"limits.published_bytes_max", GIVEN(broker.published_bytes_max)},
    {"limits.published_horizon_s", [](const Settings& settings) { return static_cast<uint64_t>(settings.broker.published_horizon_ms / 1000); }},
    {"store.reserve_bytes", GIVEN(store_reserve_bytes)},
};
#undef GIVEN

// The rooms' own defaults are those of the configuration, so a limit that is not copied shows only when it is set.
TEST(Wiring, EveryLimitReachesItsRoom) {
  Config config;
  config.debug.enabled = true;
  std::map<std::string_view, uint64_t> wanted;
  uint64_t step = 0;
  for (const Limit& limit : limits()) {
    const auto setting = std::ranges::find(settings(), limit.key, &Setting::key);
    ASSERT_NE(setting, settings().end()) << limit.key;
    uint64_t& number = *std::get<uint64_t*>(setting->slot(config));
    wanted[limit.key] = number += ++step;
  }
  const auto made = settings_of(config);
  ASSERT_TRUE(made);
  for (const auto& [key, number] : wanted) {
    const auto given = kGiven.find(key);
    ASSERT_NE(given, kGiven.end()) << key << " has no line in kGiven";
    EXPECT_EQ(given->second(*made), number) << key;
  }
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
