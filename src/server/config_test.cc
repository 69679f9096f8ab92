// Goal: a configuration is taken whole or refused with every error named by file, line and key; what is printed as
// default or effective reads back as the same; the environment wins.
#include "server/config.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <set>
#include <string>
#include <string_view>

#include "server/settings.h"

namespace arena::server {
namespace {

LoadedConfig good(std::string_view toml, const Environment& environment = {}) {
  auto loaded = parse_config(toml, "conf/arena.toml", environment);
  if (!loaded) {
    for (const auto& error : loaded.error()) ADD_FAILURE() << error.text();
    return {};
  }
  return *std::move(loaded);
}

std::vector<std::string> errors(std::string_view toml, const Environment& environment = {}) {
  const auto loaded = parse_config(toml, "arena.toml", environment);
  std::vector<std::string> out;
  if (!loaded) {
    for (const auto& error : loaded.error()) out.push_back(error.text());
  }
  return out;
}

std::string only_error(std::string_view toml, const Environment& environment = {}) {
  const auto all = errors(toml, environment);
  EXPECT_EQ(all.size(), 1u) << toml;
  return all.empty() ? "" : all[0];
}

void expect_error(std::string_view toml, std::string_view start, std::string_view part) {
  const std::string error = only_error(toml);
  EXPECT_TRUE(error.starts_with(start)) << error;
  EXPECT_NE(error.find(part), std::string::npos) << error;
}

TEST(Config, ReadsEveryType) {
  const auto loaded = good(R"([server]
threads = 4
log_format = "json"
[mqtt]
listeners = [{ address = "::", port = 0 }, { port = 1884 }]
session_expiry_max_s = "never"
retain_available = false
[auth]
allow_anonymous = true
users_file = "users"
)");
  const Config& config = loaded.config;
  EXPECT_EQ(config.server.threads, 4u);
  EXPECT_EQ(config.server.log_format, "json");
  EXPECT_EQ(config.mqtt.listeners, (std::vector<Listener>{{"::", 0}, {"127.0.0.1", 1884}}));
  EXPECT_EQ(config.mqtt.session_expiry_max_s, kNeverExpires);
  EXPECT_FALSE(config.mqtt.retain_available);
  EXPECT_EQ(config.auth.allow_anonymous, true);
  EXPECT_EQ(config.auth.users_file, "conf/users") << "relative to the file";
}

TEST(Config, ReadsWhatASlowSubscriberLoses) {
  const Config config = good("[limits]\nslow_policy = \"drop_newest\"\n[[auth.rules]]\nallow = \"subscribe\"\ntopics = \"a\"\n"
                             "slow = \"latest_per_topic\"\n").config;
  EXPECT_EQ(config.limits.slow_policy, "drop_newest");
  EXPECT_EQ(config.auth.rules.at(0).slow, SlowPolicy::latest_per_topic);
  expect_error("[[auth.rules]]\nallow = \"all\"\ntopics = [\"a\"]\nslow = \"x\"\n", "arena.toml:4: auth.rules.slow: ", "drop_oldest");
  expect_error("[[auth.rules]]\nallow = \"publish\"\ntopics = [\"a\"]\nslow = \"disconnect\"\n", "arena.toml:3: auth.rules: ", "subscrib");
}

TEST(Config, EmptyMeansDefaults) {
  const Config config = good("").config;
  EXPECT_TRUE(differences(config, Config{}).empty());
  EXPECT_EQ(config.mqtt.listeners, std::vector<Listener>{Listener{}});
  EXPECT_FALSE(config.auth.allow_anonymous);
}

TEST(Config, UnknownNamesAreRefusedWithASuggestion) {
  expect_error("[mqtt]\nlistenres = []\n", "arena.toml:2: mqtt.listenres: ", "did you mean \"mqtt.listeners\"");
  expect_error("[mqtt]\n\n[atuh]\nx = 1\n", "arena.toml:3: atuh: ", "did you mean \"auth\"");
  expect_error("[mqtt]\nlisteners = [{ adress = \"127.0.0.1\" }]\n", "arena.toml:2: mqtt.listeners.adress: ", "address");
  expect_error("[limits]\nzzzzqqqq = 1\n", "arena.toml:2: limits.zzzzqqqq: unknown", "config default");
  expect_error("[[auth.rules]]\nalow = \"all\"\nallow = \"all\"\ntopics = [\"a\"]\n", "arena.toml:2: auth.rules.alow: ", "allow");
  expect_error("mqtt = 3\n", "arena.toml:1: mqtt: ", "[mqtt]");
}

TEST(Config, WrongValuesAreRefusedWithTheirLine) {
  expect_error("[mqtt]\nreceive_max = 0\n", "arena.toml:2: mqtt.receive_max: ", "from 1 to 65535");
  expect_error("[mqtt]\nreceive_max = -1\n", "arena.toml:2: ", "from 1 to 65535");
  expect_error("[mqtt]\nreceive_max = 1.5\n", "arena.toml:2: ", "from 1 to 65535");
  expect_error("[mqtt]\nreceive_max = \"never\"\n", "arena.toml:2: ", "from 1 to 65535");
  expect_error("[mqtt]\nretain_available = 1\n", "arena.toml:2: ", "true or false");
  expect_error("[server]\nlog_format = \"xml\"\n", "arena.toml:2: server.log_format: ", "\"automatic\", \"text\", \"json\"");
  expect_error("[server]\nthreads = [1]\n", "arena.toml:2: ", "integer");
  expect_error("[mqtt]\nlisteners = []\n", "arena.toml:2: ", "at least one");
  expect_error("[mqtt]\nlisteners = [{ port = 70000 }]\n", "arena.toml:2: ", "port");
  expect_error("[mqtt]\nlisteners = [{ port = \"x\" }]\n", "arena.toml:2: mqtt.listeners.port", "integer");
  expect_error("[mqtt]\nlisteners = [{ address = \"localhost\" }]\n", "arena.toml:2: ", "numeric");
  expect_error("[mqtt]\nlisteners = [{ address = \"127.0.0.1\\u0000.9\" }]\n", "arena.toml:2: ", "numeric");
  expect_error("[mqtt]\nlisteners = [{ port = 5 }, { port = 5 }]\n", "arena.toml:2: ", "twice");
}

TEST(Config, BrokenTomlIsRefused) {
  EXPECT_TRUE(only_error("[mqtt]\nlisteners = [\n").starts_with("arena.toml:"));
  EXPECT_TRUE(only_error("[mqtt]\nreceive_max = 1\nreceive_max = 2\n").starts_with("arena.toml:3"));
  EXPECT_FALSE(errors(std::string(5000, '[')).empty());
  EXPECT_FALSE(errors("\xff").empty());
  // Letters that the parser's table of white space does not expect.
  EXPECT_FALSE(errors("\u03c1ules = 1\n").empty());
}

TEST(Config, TellsAllErrorsAtOnce) {
  EXPECT_EQ(errors("[mqtt]\nreceive_max = 0\nqos_max = 9\n[nonsense]\n", {{"ARENA_MQTT__NOPE", "1"}}).size(), 4u);
}

TEST(Config, TheEnvironmentWins) {
  const auto loaded = good("[mqtt]\nreceive_max = 7\n", {{"ARENA_MQTT__RECEIVE_MAX", "9"},
                                                         {"ARENA_MQTT__LISTENERS", "127.0.0.1:1, [::1]:2"},
                                                         {"ARENA_AUTH__ALLOW_ANONYMOUS", "false"},
                                                         {"ARENA_AUTH__USERS_FILE", "12"},
                                                         {"ARENA_HOME", "not ours"}});
  EXPECT_EQ(loaded.config.mqtt.receive_max, 9u);
  EXPECT_EQ(loaded.config.mqtt.listeners, (std::vector<Listener>{{"127.0.0.1", 1}, {"::1", 2}}));
  EXPECT_EQ(loaded.config.auth.allow_anonymous, false);
  EXPECT_EQ(loaded.config.auth.users_file, "12");
  EXPECT_EQ(only_error("", {{"ARENA_MQTT__RECIEVE_MAX", "9"}}),
            "ARENA_MQTT__RECIEVE_MAX: unknown setting; did you mean \"ARENA_MQTT__RECEIVE_MAX\"?");
  EXPECT_NE(only_error("", {{"ARENA_MQTT__RECEIVE_MAX", "many"}}).find("from 1 to 65535"), std::string::npos);
  EXPECT_NE(only_error("", {{"ARENA_MQTT__LISTENERS", "127.0.0.1"}}).find("address:port"), std::string::npos);
  EXPECT_NE(only_error("", {{"ARENA_MQTT__LISTENERS", ""}}).find("at least one"), std::string::npos);
}

TEST(Config, RulesBecomeOnePerTopicWithTheirLine) {
  const auto loaded = good(R"([[auth.rules]]
allow = ["publish", "subscribe"]
users = ["ann", "bob"]
topics = [
  "a/#",
  "b/%u",
]
[[auth.rules]]
deny = "publish"
anonymous = true
topics = "c"
)");
  const auto& rules = loaded.config.auth.rules;
  ASSERT_EQ(rules.size(), 3u);
  EXPECT_TRUE(rules[0].allow && rules[0].publish && rules[0].subscribe);
  EXPECT_EQ(rules[1].filter, "b/%u");
  EXPECT_EQ(rules[1].source, "conf/arena.toml:6");
  EXPECT_EQ(rules[1].users, (std::vector<std::string>{"ann", "bob"}));
  EXPECT_FALSE(rules[2].allow || rules[2].subscribe);
  EXPECT_EQ(rules[2].who, access::Rule::Who::anonymous);
}

// THREATS.md §2: a broken rule must not become an open door.
TEST(Config, BadRulesAreRefused) {
  expect_error("[[auth.rules]]\nallow = \"publish\"\ntopics = [\"ok\",\n\"a/#/b\"]\n", "arena.toml:4: auth.rules: the rule", "a/#/b");
  expect_error("[[auth.rules]]\nallow = [\"a/#\"]\ntopics = [\"a\"]\n", "arena.toml:2: ", "a/#");
  expect_error("[[auth.rules]]\ntopics = [\"a\"]\n", "arena.toml:1: ", "allow");
  expect_error("[[auth.rules]]\nallow = \"all\"\ndeny = \"all\"\ntopics = [\"a\"]\n", "arena.toml:1: ", "either");
  expect_error("[[auth.rules]]\nallow = \"all\"\n", "arena.toml:1: ", "topics");
  expect_error("[[auth.rules]]\nallow = \"all\"\ntopics = []\n", "arena.toml:3: ", "empty");
  expect_error("[[auth.rules]]\nallow = []\ntopics = [\"a\"]\n", "arena.toml:2: ", "empty");
  expect_error("[[auth.rules]]\nallow = \"all\"\nusers = []\ntopics = [\"a\"]\n", "arena.toml:3: ", "empty");
  expect_error("[[auth.rules]]\nallow = \"all\"\nanonymous = false\ntopics = [\"a\"]\n", "arena.toml:3: ", "true");
  expect_error("[[auth.rules]]\nallow = \"all\"\nusers = [\"a\"]\nanonymous = true\ntopics = [\"a\"]\n", "arena.toml:4: ", "users");
  expect_error("[auth]\nrules = 3\n", "arena.toml:2: ", "[[auth.rules]]");
  expect_error("[auth]\nrules = [3]\n", "arena.toml:2: ", "[[auth.rules]]");
}

TEST(Config, TheDefaultTextReadsBackAsTheDefaults) {
  const auto loaded = good(default_config_text());
  for (const Difference& difference : differences(Config{}, loaded.config)) {
    EXPECT_EQ(difference.key, "auth.users_file") << "only paths are completed";
  }
  for (const Setting& setting : settings()) {
    EXPECT_NE(default_config_text().find(std::string(setting.name()) + " = "), std::string::npos) << setting.key;
  }
}

TEST(Config, TheEffectiveTextReadsBackAndNamesSources) {
  const auto loaded = good("[mqtt]\nreceive_max = 7\n[[auth.rules]]\ndeny = \"all\"\nusers = [\"a\\\"b\"]\ntopics = [\"x\", \"y\"]\n",
                           {{"ARENA_MQTT__QOS_MAX", "1"}});
  const std::string all = effective_config_text(loaded, Shown::all);
  const auto again = good(all);
  EXPECT_EQ(again.config.mqtt.receive_max, 7u);
  EXPECT_EQ(again.config.mqtt.qos_max, 1u);
  ASSERT_EQ(again.config.auth.rules.size(), 2u);
  EXPECT_EQ(again.config.auth.rules[1].users[0], "a\"b");
  const std::string changed = effective_config_text(loaded, Shown::changed);
  EXPECT_NE(changed.find("# conf/arena.toml:2\n"), std::string::npos) << changed;
  EXPECT_NE(changed.find("# ARENA_MQTT__QOS_MAX\n"), std::string::npos) << changed;
  EXPECT_EQ(changed.find("threads"), std::string::npos) << changed;
}

TEST(Config, DifferencesSayWhatNeedsARestart) {
  const Config before = good("[mqtt]\nreceive_max = 7\n").config;
  const Config after = good("[server]\nthreads = 2\n[[auth.rules]]\nallow = \"all\"\ntopics = \"a\"\n").config;
  std::set<std::string> told;
  for (const Difference& difference : differences(before, after)) {
    told.insert(difference.key + (difference.needs_restart ? "!" : "") + " " + difference.before + " " + difference.after);
  }
  EXPECT_EQ(told, (std::set<std::string>{"auth.rules 0 rules 1 rules", "mqtt.receive_max 7 100", "server.threads! 0 2"}));
}

TEST(Config, AMissingFileIsRefused) {
  const auto missing = load_config("/nowhere/arena.toml", {});
  ASSERT_FALSE(missing);
  EXPECT_TRUE(missing.error()[0].text().starts_with("/nowhere/arena.toml: "));
  EXPECT_FALSE(load_config(std::filesystem::temp_directory_path().string(), {})) << "a folder is no file";
  EXPECT_TRUE(load_config(std::nullopt, {}));
}

TEST(Settings, EveryRowIsComplete) {
  std::set<std::string_view> keys;
  Config config;
  for (const Setting& setting : settings()) {
    EXPECT_TRUE(keys.insert(setting.key).second) << setting.key;
    EXPECT_TRUE(setting.doc.ends_with('.')) << setting.key;
    const Slot slot = setting.slot(config);
    if (const auto* number = std::get_if<uint64_t*>(&slot)) {
      EXPECT_LE(setting.min, **number) << setting.key << ": its default is out of range";
      EXPECT_GE(setting.max, **number) << setting.key << ": its default is out of range";
    }
    // The name says which field it is: a row that fills another one's would pass unseen.
    const std::string text = value_text(setting, config);
    if (std::get_if<uint64_t*>(&slot) != nullptr) {
      EXPECT_FALSE(assign(setting, config, static_cast<int64_t>(setting.max))) << setting.key;
      EXPECT_TRUE(assign(setting, config, static_cast<int64_t>(setting.max) + 1)) << setting.key;
      EXPECT_EQ(differences(Config{}, config).size(), value_text(setting, config) == text ? 0u : 1u) << setting.key;
      config = Config{};
    }
  }
}

TEST(Settings, NearestFindsTypingErrorsAndNothingElse) {
  const std::vector<std::string_view> known{"listeners", "receive_max", "qos_max"};
  EXPECT_EQ(nearest("listenres", known), "listeners");
  EXPECT_EQ(nearest("recieve_max", known), "receive_max");
  EXPECT_EQ(nearest("xyz", known), "");
  EXPECT_EQ(nearest(std::string(100000, 'a'), known), "");
}

TEST(Config, ReadsStreams) {
  const auto loaded = good(R"(
[[streams]]
name = "orders"
filters = ["orders/#", "returns/+"]
max_age = "7d"
max_bytes = "10GB"
max_messages = 1000
budget_bytes = 123456
[[streams]]
name = "other"
filters = "other"
)");
  const auto& streams = loaded.config.streams;
  ASSERT_EQ(streams.size(), 2u);
  const broker::StreamConfig wanted{"orders", {"orders/#", "returns/+"}, {604'800'000, 10'000'000'000, 1000}, 123'456};
  EXPECT_EQ(streams[0].config, wanted);
  EXPECT_EQ(streams[0].source, "conf/arena.toml:2");
  EXPECT_EQ(streams[0].filters_source, "conf/arena.toml:4");
  EXPECT_EQ(streams[1].config.filters, std::vector<std::string>{"other"});
  const auto again = good(effective_config_text(loaded, Shown::changed));
  ASSERT_EQ(again.config.streams.size(), 2u);
  EXPECT_EQ(again.config.streams[0].config, wanted) << "what is shown reads back as the same";
}

TEST(Config, NamesWhatIsWrongWithAStream) {
  const std::string good_one = "[[streams]]\nname = \"a\"\nfilters = [\"a/#\"]\n";
  expect_error("[[streams]]\nname = \"b\"\n", "arena.toml:1: streams:", "no filter");
  expect_error("[[streams]]\nname = \"b/c\"\nfilters = [\"b\"]\n", "arena.toml:3: streams:", "name");
  expect_error("[[streams]]\nname = \"b\"\nfilters = [\"#/b\"]\n", "arena.toml:3: streams:", "is no filter");
  expect_error(good_one + "[[streams]]\nname = \"b\"\nfilters = [\"+/b\"]\n", "arena.toml:6: streams:", "do not overlap");
  expect_error(good_one + "max_age = 7\n", "arena.toml:4: streams.max_age:", "7d");
  expect_error(good_one + "max_bytes = -1\n", "arena.toml:4: streams.max_bytes:", "10GB");
  expect_error(good_one + "max_messages = \"1GB\"\n", "arena.toml:4: streams.max_messages:", "integer");
  expect_error(good_one + "max_aeg = \"7d\"\n", "arena.toml:4: streams.max_aeg:", "streams.max_age");
  expect_error("streams = 1\n", "arena.toml:1: streams:", "[[streams]]");
}

TEST(Config, DebugIsForThisMachineAlone) {
  const std::string on = "[debug]\nenabled = true\n[http]\nlisteners = [{ address = ";
  EXPECT_TRUE(good(on + "\"127.0.0.1\", port = 1 }, { address = \"::1\", port = 2 }]\n").config.debug.enabled);
  for (const std::string_view open : {"0.0.0.0", "::", "192.168.1.2"}) {
    expect_error(on + "\"127.0.0.1\", port = 1 }, { address = \"" + std::string(open) + "\", port = 2 }]\n", "arena.toml:2: debug.enabled:",
                 "this machine alone");
  }
}

TEST(Config, AChangeOfStreamsWaitsForARestart) {
  const auto before = good("[[streams]]\nname = \"a\"\nfilters = [\"a\"]\n");
  const auto moved = good("\n\n[[streams]]\nname = \"a\"\nfilters = [\"a\"]\n");
  EXPECT_TRUE(differences(before.config, moved.config).empty());
  const auto after = good("[[streams]]\nname = \"a\"\nfilters = [\"a\"]\nmax_messages = 1\n");
  const auto changed = differences(before.config, after.config);
  ASSERT_EQ(changed.size(), 1u);
  EXPECT_EQ(changed[0].key, "streams");
  EXPECT_TRUE(changed[0].needs_restart);
}

}  // namespace
}  // namespace arena::server
