// Goal: the tree holds exactly the last value of each topic, and a search by filter finds exactly the topics that
// comparing the filter with each would.
#include "broker/retained/topic_tree.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "message/topic.h"

namespace arena::broker {
namespace {

MessageRef message(std::string topic, std::string payload = "x") {
  auto* made = new Message;
  made->topic = std::move(topic);
  made->payload = std::move(payload);
  return MessageRef(made);
}

std::vector<std::string> matches(const TopicTree& tree, std::string_view filter) {
  std::vector<std::string> out;
  tree.match(filter, [&](const MessageRef& found) { out.push_back(found->topic + "=" + found->payload); });
  std::sort(out.begin(), out.end());
  return out;
}

using Texts = std::vector<std::string>;

TEST(TopicTree, SetReplaceFindErase) {
  TopicTree tree;
  EXPECT_EQ(tree.set(message("a/b", "1")), nullptr);
  EXPECT_EQ(tree.set(message("a", "2")), nullptr);
  EXPECT_EQ(tree.set(message("a/b", "three"))->payload, "1");
  EXPECT_EQ(tree.size(), 2u);
  EXPECT_EQ(tree.bytes(), message("a/b", "three")->accounted_bytes() + message("a", "2")->accounted_bytes());
  EXPECT_EQ(tree.find("a/b")->payload, "three");
  EXPECT_EQ(tree.find("a/b/c"), nullptr);
  EXPECT_EQ(tree.find("b"), nullptr);
  EXPECT_EQ(tree.erase("a/c"), nullptr);
  EXPECT_EQ(tree.erase("a")->payload, "2");
  EXPECT_EQ(tree.erase("a"), nullptr);
  EXPECT_EQ(tree.find("a"), nullptr);
  EXPECT_EQ(tree.find("a/b")->payload, "three");
  EXPECT_EQ(tree.erase("a/b")->payload, "three");
  EXPECT_EQ(tree.size(), 0u);
  EXPECT_EQ(tree.bytes(), 0u);
}

TEST(TopicTree, MatchesWildcards) {
  TopicTree tree;
  for (const char* topic : {"a", "a/", "a/b", "a/b/c", "/a", "$s", "$s/b"}) tree.set(message(topic));
  EXPECT_EQ(matches(tree, "a/b"), (Texts{"a/b=x"}));
  EXPECT_EQ(matches(tree, "a/#"), (Texts{"a/=x", "a/b/c=x", "a/b=x", "a=x"}));
  EXPECT_EQ(matches(tree, "+"), (Texts{"a=x"}));
  EXPECT_EQ(matches(tree, "+/+"), (Texts{"/a=x", "a/=x", "a/b=x"}));
  EXPECT_EQ(matches(tree, "#"), (Texts{"/a=x", "a/=x", "a/b/c=x", "a/b=x", "a=x"}));
  EXPECT_EQ(matches(tree, "$s/#"), (Texts{"$s/b=x", "$s=x"}));
  EXPECT_EQ(matches(tree, "$s/+"), (Texts{"$s/b=x"}));
  EXPECT_EQ(matches(tree, "+/b/#"), (Texts{"a/b/c=x", "a/b=x"}));
  EXPECT_EQ(matches(tree, "b/#"), Texts{});
}

TEST(TopicTree, AgreesWithComparingEveryTopic) {
  static const std::vector<std::string> topic_levels = {"a", "b", "", "$s", "a-level-longer-than-fifteen-bytes"};
  static const std::vector<std::string> filter_levels = {"a", "b", "", "$s", "+", "+", "+"};
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    std::mt19937_64 random(seed);
    const auto join = [&](const std::vector<std::string>& levels) {
      std::string out = levels[random() % levels.size()];
      for (std::size_t more = random() % 4; more > 0; --more) out += "/" + levels[random() % levels.size()];
      return out.empty() ? std::string("b") : out;
    };
    TopicTree tree;
    std::map<std::string, std::string> naive;
    for (int step = 0; step < 1500; ++step) {
      const std::string topic = join(topic_levels);
      if (random() % 10 < ((step / 250) % 2 == 0 ? 8u : 2u)) {
        const MessageRef before = tree.set(message(topic, std::to_string(step)));
        ASSERT_EQ(before ? before->payload : "", naive[topic]) << seed << ' ' << topic;
        naive[topic] = std::to_string(step);
      } else {
        const MessageRef before = tree.erase(topic);
        ASSERT_EQ(static_cast<bool>(before), naive.erase(topic) > 0) << seed << ' ' << topic;
      }
      ASSERT_EQ(tree.size(), naive.size());
      std::string filter = join(filter_levels);
      if (random() % 3 == 0) filter = random() % 4 == 0 ? "#" : filter + "/#";
      Texts want;
      for (const auto& [at, payload] : naive) {
        if (filter_matches(filter, at)) want.push_back(at + "=" + payload);
      }
      std::sort(want.begin(), want.end());
      ASSERT_EQ(matches(tree, filter), want) << seed << ' ' << filter;
    }
  }
}

TEST(TopicTree, DeepAndWide) {
  TopicTree tree;
  std::string deep = "l";
  for (int level = 1; level < 128; ++level) deep += "/l";
  tree.set(message(deep));
  tree.set(message(std::string(60'000, '/')));
  EXPECT_EQ(matches(tree, "l/#").size(), 1u);
  EXPECT_EQ(matches(tree, "#").size(), 2u);
  for (int i = 0; i < 10'000; ++i) tree.set(message("wide/" + std::to_string(i) + "/state"));
  EXPECT_EQ(matches(tree, "wide/+/state").size(), 10'000u);
  EXPECT_EQ(matches(tree, "wide/77/#").size(), 1u);
  for (int i = 0; i < 10'000; ++i) ASSERT_TRUE(tree.erase("wide/" + std::to_string(i) + "/state"));
  EXPECT_EQ(matches(tree, "wide/#").size(), 0u);
  EXPECT_EQ(matches(tree, "l/#").size(), 1u);
}

}  // namespace
}  // namespace arena::broker
