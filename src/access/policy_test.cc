// Goal: decide() means what the rules say for every topic, a name cannot bend a rule, and what covers() promises for a
// filter is held by decide() on every topic of it.
#include "access/policy.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "message/topic.h"

namespace arena::access {
namespace {

using namespace std::string_view_literals;
using PolicyRef = std::shared_ptr<const Policy>;

Rule allow(std::string filter) {
  Rule rule;
  rule.publish = rule.subscribe = true;
  rule.filter = std::move(filter);
  rule.source = "arena.toml:7";
  return rule;
}
Rule deny(std::string filter) {
  Rule rule = allow(std::move(filter));
  rule.allow = false;
  return rule;
}
Rule for_users(Rule rule, std::vector<std::string> users) {
  rule.who = Rule::Who::users;
  rule.users = std::move(users);
  return rule;
}
Rule for_anonymous(Rule rule) {
  rule.who = Rule::Who::anonymous;
  return rule;
}
PolicyRef policy_of(std::vector<Rule> rules, bool default_allow = false) {
  auto policy = Policy::make(std::move(rules), {.epoch = 3, .default_allow = default_allow});
  EXPECT_TRUE(policy) << policy.error().reason;
  return *policy;
}
Principal named(std::string name) {
  Principal principal;
  principal.name = std::move(name);
  return principal;
}
bool may(const PolicyRef& policy, std::string_view name, Action action, std::string_view topic, std::string_view client = "c1") {
  const Principal principal = named(std::string(name));
  return policy->decide({principal, client}, action, topic).allowed();
}
bool may_read(const PolicyRef& policy, std::string_view name, std::string_view topic, std::string_view client = "c1") {
  return may(policy, name, Action::subscribe, topic, client);
}

TEST(Policy, DeniesByDefault) {
  const auto policy = policy_of({});
  EXPECT_FALSE(may(policy, "ann", Action::publish, "a"));
  EXPECT_FALSE(may_read(policy, "", "a"));
  EXPECT_EQ(policy->epoch(), 3u);
  const Principal ann = named("ann");
  EXPECT_EQ(policy->decide({ann, "c"}, Action::publish, "a").reason(), "denied: no rule allows it");
}

TEST(Policy, DefaultAllowLeavesReservedTopicsAlone) {
  const auto policy = policy_of({deny("secret/#")}, true);
  EXPECT_TRUE(may(policy, "", Action::publish, "a/b"));
  EXPECT_FALSE(may(policy, "", Action::publish, "$SYS/x"));
  EXPECT_FALSE(may(policy, "", Action::publish, "$other"));
  EXPECT_TRUE(may_read(policy, "", "$SYS/x"));
  EXPECT_FALSE(may_read(policy, "", "$SYSTEM/x"));
  EXPECT_FALSE(may_read(policy, "", "$CONTROL/x"));
  EXPECT_FALSE(may(policy, "", Action::publish, "secret/x"));
  const Principal nobody;
  EXPECT_EQ(policy->covers({nobody, "c"}, "a/#"), Coverage::all);
  EXPECT_EQ(policy->covers({nobody, "c"}, "$SYS/#"), Coverage::all);
  EXPECT_EQ(policy->covers({nobody, "c"}, "$CONTROL/#"), Coverage::none);
  EXPECT_EQ(policy->covers({nobody, "c"}, "#"), Coverage::holed);
}

TEST(Policy, SysNeedsItsOwnRule) {
  EXPECT_FALSE(may_read(policy_of({allow("#")}), "ann", "$SYS/x"));
  EXPECT_TRUE(may_read(policy_of({allow("$SYS/#")}), "ann", "$SYS/x"));
  EXPECT_FALSE(may(policy_of({allow("$SYS/#")}), "ann", Action::publish, "$SYS/x")) << "only the broker itself";
}

TEST(Policy, GapsAreToldByTheBrokerAlone) {
  const auto policy = policy_of({allow("#"), allow("$gap/#"), allow("$gaps/#")});
  EXPECT_FALSE(may(policy, "ann", Action::publish, "$gap/orders"));
  EXPECT_TRUE(may(policy, "ann", Action::publish, "$gaps/orders"));
  EXPECT_FALSE(may(policy, "ann", Action::publish, "$gap"));
}

TEST(Policy, RepliesAreReadByThoseWhomARuleNames) {
  const Principal ann = named("ann");
  for (const auto& policy : {policy_of({allow("#")}), policy_of({}, true)}) {
    EXPECT_FALSE(may_read(policy, "ann", "$replies/x"));
    EXPECT_EQ(policy->covers({ann, "c"}, "$replies/#"), Coverage::none);
    EXPECT_EQ(policy->covers({ann, "c"}, "$replies/x"), Coverage::none);
  }
  EXPECT_FALSE(may(policy_of({allow("#")}), "ann", Action::publish, "$replies/x"));
  EXPECT_TRUE(may(policy_of({}, true), "ann", Action::publish, "$replies/x")) << "whoever was asked answers";
  EXPECT_TRUE(may(policy_of({allow("$replies/#")}), "ann", Action::publish, "$replies/x"));
}

TEST(Policy, DenyWinsWhateverTheOrder) {
  for (const auto& policy : {policy_of({allow("a/#"), deny("a/b")}), policy_of({deny("a/b"), allow("a/#")})}) {
    EXPECT_TRUE(may_read(policy, "ann", "a/c"));
    EXPECT_FALSE(may_read(policy, "ann", "a/b"));
  }
  const auto personal = policy_of({for_users(allow("a"), {"ann"}), deny("a")});
  EXPECT_FALSE(may_read(personal, "ann", "a"));
}

TEST(Policy, RulesConcernTheirSubjectsAndActionsOnly) {
  Rule read_only = allow("r/#");
  read_only.publish = false;
  const auto policy = policy_of({read_only, for_users(allow("u"), {"ann", "bob", "ann"}), for_anonymous(allow("x"))});
  EXPECT_TRUE(may_read(policy, "cy", "r/1"));
  EXPECT_TRUE(may_read(policy, "", "r/1"));
  EXPECT_FALSE(may(policy, "cy", Action::publish, "r/1"));
  EXPECT_TRUE(may_read(policy, "bob", "u"));
  EXPECT_FALSE(may_read(policy, "cy", "u"));
  EXPECT_FALSE(may_read(policy, "", "u"));
  EXPECT_TRUE(may_read(policy, "", "x"));
  EXPECT_FALSE(may_read(policy, "ann", "x"));
}

TEST(Policy, TheBrokerItselfMayDoAll) {
  const auto policy = policy_of({deny("#")});
  Principal broker;
  broker.internal = true;
  EXPECT_TRUE(policy->decide({broker, ""}, Action::publish, "$SYS/x"));
  EXPECT_EQ(policy->covers({broker, ""}, "#"), Coverage::all);
}

TEST(Policy, PlaceholdersStandForTheirOwner) {
  const auto policy = policy_of({allow("home/%u/#"), allow("dev-%c/%u/up")});
  EXPECT_TRUE(may_read(policy, "ann", "home/ann/x"));
  EXPECT_FALSE(may_read(policy, "ann", "home/bob/x"));
  EXPECT_FALSE(may_read(policy, "", "home//x"));
  EXPECT_TRUE(may_read(policy, "ann", "dev-7/ann/up", "7"));
  EXPECT_FALSE(may_read(policy, "ann", "dev-8/ann/up", "7"));
  EXPECT_TRUE(may_read(policy, "%c", "home/%c/x", "7"));  // put in once, literally
  EXPECT_FALSE(may_read(policy, "%c", "home/7/x", "7"));
  const std::string name(128, 'n');
  const std::string long_id(5000, 'c');  // longer than what is kept on the stack
  EXPECT_TRUE(may_read(policy, name, "dev-" + long_id + "/" + name + "/up", long_id));
}

// THREATS.md §2, injection through identity.
TEST(Policy, NamesCannotBendAllowRules) {
  const auto policy = policy_of({allow("home/%c/#"), allow("%c/front")});
  for (const auto evil : {"+"sv, "#"sv, "a/b"sv, "+/x"sv, "a\0"sv, "a\r"sv, "a\nb"sv, ""sv, "x#"sv}) {
    EXPECT_FALSE(may_read(policy, "ann", "home/other/x", evil)) << evil;
    EXPECT_FALSE(may_read(policy, "ann", "home/" + std::string(evil) + "/x", evil)) << evil;
    const Principal ann = named("ann");
    EXPECT_EQ(policy->covers({ann, evil}, "home/#"), Coverage::none) << evil;
  }
  EXPECT_FALSE(may_read(policy, "ann", "$SYS/front", "$SYS"));
  EXPECT_TRUE(may_read(policy, "ann", "home/$x/1", "$x"));  // harmless inside
}

TEST(Policy, NamesCannotEscapeDenyRules) {
  const auto policy = policy_of({allow("#"), allow("$SYS/#"), deny("jail/x-%c/#"), deny("%c/y")});
  EXPECT_FALSE(may_read(policy, "ann", "jail/x-7/1", "7"));
  EXPECT_TRUE(may_read(policy, "ann", "jail/x-8/1", "7"));
  for (const auto evil : {"+"sv, "#"sv, "a/b"sv, ""sv, "\n"sv}) {
    EXPECT_FALSE(may_read(policy, "ann", "jail/x-8/1", evil)) << evil;
    const Principal ann = named("ann");
    EXPECT_NE(policy->covers({ann, evil}, "jail/#"), Coverage::all) << evil;
  }
  EXPECT_FALSE(may_read(policy, "ann", "jail/x-a/b/1", "a/b"));
  EXPECT_FALSE(may_read(policy, "ann", "$SYS/y", "$SYS"));
}

// For what was published before: %c stands for anybody's id in an allow rule, and for nobody's in a deny rule.
TEST(Policy, KnowsWhoMayStillPublish) {
  const auto may_still = [](std::vector<Rule> rules, std::string name, std::string_view topic) {
    return policy_of(std::move(rules))->may_still_publish(named(std::move(name)), topic);
  };
  EXPECT_TRUE(may_still({allow("a/#")}, "ann", "a/x"));
  EXPECT_FALSE(may_still({allow("a/#")}, "ann", "b"));
  EXPECT_FALSE(may_still({allow("a/#"), deny("a/x")}, "ann", "a/x"));
  EXPECT_FALSE(may_still({for_users(allow("a/#"), {"bob"})}, "ann", "a/x"));
  EXPECT_TRUE(may_still({allow("d/%c/x%c")}, "ann", "d/c1/xc1"));
  EXPECT_TRUE(may_still({allow("d/%u/%c")}, "ann", "d/ann/c1"));
  EXPECT_FALSE(may_still({allow("d/%u/%c")}, "ann", "d/bob/c1"));
  EXPECT_FALSE(may_still({allow("d/%u/%c")}, "", "d//c1")) << "anonymous has no name";
  EXPECT_TRUE(may_still({allow("d/#"), deny("d/%c")}, "ann", "d/c1"));
  EXPECT_FALSE(may_still({allow("#"), deny("%u/x")}, "", "b/x")) << "no name counts as every name";
  EXPECT_TRUE(policy_of({}, true)->may_still_publish(named(""), "a"));
}

TEST(Policy, ExplainsItsDecisions) {
  const auto policy = policy_of({allow("a/#"), deny("a/b")});
  const Principal ann = named("ann");
  EXPECT_EQ(policy->decide({ann, "c"}, Action::subscribe, "a/b").reason(),
            "denied by arena.toml:7: deny publish and subscribe \"a/b\"");
  EXPECT_EQ(policy->decide({ann, "c"}, Action::publish, "a").reason(),
            "allowed by arena.toml:7: allow publish and subscribe \"a/#\"");
}

TEST(Policy, RefusesBadRulesNamingTheirSource) {
  const auto refused = [](Rule rule) {
    const auto policy = Policy::make({allow("ok"), std::move(rule)}, {});
    return !policy && policy.error().reason.starts_with("arena.toml:7: the rule ");
  };
  EXPECT_TRUE(refused(allow("")));
  EXPECT_TRUE(refused(allow("a/#/b")));
  EXPECT_TRUE(refused(allow("a%u+")));
  EXPECT_TRUE(refused(allow("$share/g/a")));
  EXPECT_TRUE(refused(for_users(allow("a"), {})));
  EXPECT_TRUE(refused(for_users(deny("a"), {"ann", ""})));
  EXPECT_TRUE(refused(for_anonymous(allow("%u/a"))));
  Rule idle = allow("a");
  idle.publish = idle.subscribe = false;
  EXPECT_TRUE(refused(idle));
}

std::vector<std::string> join_levels(const std::vector<std::string>& levels, std::size_t depth_max) {
  std::vector<std::string> out = levels;
  for (std::size_t begin = 0, depth = 2; depth <= depth_max; ++depth) {
    const std::size_t end = out.size();
    for (; begin < end; ++begin) {
      for (const std::string& level : levels) out.push_back(out[begin] + "/" + level);
    }
  }
  return out;
}

TEST(Policy, CoversIsSoundAgainstBruteForce) {
  std::vector<std::string> topics, filters, rule_filters;
  for (auto& text : join_levels({"a", "b", "$SYS", "", "z"}, 4)) {
    if (!check_topic(text)) topics.push_back(text);
  }
  for (auto& text : join_levels({"a", "b", "$SYS", "+", "#"}, 3)) {
    if (!check_filter(text)) filters.push_back(text);
  }
  for (auto& text : join_levels({"a", "%c", "$SYS", "+", "#"}, 3)) {
    if (!check_filter(text)) rule_filters.push_back(text);
  }
  std::mt19937 random(7);
  const auto pick = [&](const std::vector<std::string>& from) { return from[random() % from.size()]; };
  const Principal ann = named("ann");
  unsigned said_all = 0, said_none = 0, said_part = 0;
  for (unsigned round = 0; round < 4000; ++round) {
    std::vector<Rule> rules;
    for (unsigned i = 0; i < 1 + random() % 4; ++i) rules.push_back(random() % 4 == 0 ? deny(pick(rule_filters)) : allow(pick(rule_filters)));
    if (random() % 2 == 0) rules.push_back(allow("#"));
    const auto policy = policy_of(std::move(rules), random() % 4 == 0);
    const std::string client = pick({"a", "b", "$SYS", "+", "a/b", ""});
    const Subject subject{ann, client};
    const std::string filter = pick(filters);
    const Coverage coverage = policy->covers(subject, filter);
    (coverage == Coverage::all ? said_all : coverage == Coverage::none ? said_none : said_part) += 1;
    if (coverage == Coverage::part || coverage == Coverage::holed) continue;
    for (const std::string& topic : topics) {
      if (!filter_matches(filter, topic)) continue;
      const bool allowed = policy->decide(subject, Action::subscribe, topic).allowed();
      ASSERT_EQ(allowed, coverage == Coverage::all) << "round " << round << " filter " << filter << " topic " << topic;
    }
  }
  // The test is worth something only if all answers occur.
  EXPECT_GT(said_all, 200u);
  EXPECT_GT(said_none, 200u);
  EXPECT_GT(said_part, 200u);
}

}  // namespace
}  // namespace arena::access
