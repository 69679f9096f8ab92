// Permission rules and the users file. The first byte chooses: a users file as it is, or rules made of the
// input and asked about by one client. Promises: what is decided on a topic is what the rules say, read one
// by one; what is said of a filter holds for every topic of a small world that it matches; a name or client
// id bends nothing.
#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "access/password.h"
#include "access/policy.h"
#include "access/users.h"
#include "check.h"
#include "input.h"
#include "message/topic.h"
#include "naive_topics.h"

using namespace arena;
using namespace arena::access;
using namespace std::string_view_literals;

namespace {

constexpr std::string_view kRuleLevels[] = {"a",    "+", "#",   "b",    "%u",  "%c",
                                            "$SYS", "",  "x%c", "%u%c", "$%u", "%"};
constexpr std::string_view kFilterLevels[] = {"a", "+", "#", "b", "$SYS", "", "ann", "z"};
constexpr std::string_view kNames[] = {"",  "ann", "a",  "b",  "$SYS", "+",
                                       "#", "a/b", "%c", "%u", "\0"sv, "a\n"};

// Every topic of up to three levels; "z" and "ann" stand in few rules.
const std::vector<std::string>& small_world() {
  static const std::vector<std::string> world = [] {
    std::vector<std::string> out, last{""};
    for (std::size_t depth = 0; depth < 3; ++depth) {
      std::vector<std::string> longer;
      for (const std::string& front : last) {
        for (const char* level : {"a", "b", "$SYS", "", "ann", "z"})
          longer.push_back(depth == 0 ? level : front + "/" + level);
      }
      for (const std::string& topic : longer) {
        if (!topic.empty()) out.push_back(topic);
      }
      last = std::move(longer);
    }
    return out;
  }();
  return world;
}

// ---- the rules, read one by one

struct Asker {
  Principal principal;
  std::string client;
};

bool concerns(const Rule& rule, const Asker& asker, Action action) {
  if (!(action == Action::publish ? rule.publish : rule.subscribe)) return false;
  if (rule.who == Rule::Who::anonymous) return asker.principal.name.empty();
  if (rule.who == Rule::Who::everybody) return true;
  return std::ranges::count(rule.users, asker.principal.name) > 0;
}

bool bends(std::string_view name) {
  return name.empty() || name.find_first_of("+#/\0\r\n"sv) != std::string_view::npos;
}

// How the rule reads for this client: no reading, one, or for a deny rule with a name that bends, two.
std::vector<std::string> readings(const Rule& rule, const Asker& asker) {
  std::string literal, wide;
  bool bent = false;
  for (const std::string& level : fuzz::split(rule.filter)) {
    std::string out;
    bool replaced = false;
    for (std::size_t i = 0; i < level.size(); ++i) {
      const std::string two = level.substr(i, 2);
      if (two != "%u" && two != "%c") {
        out += level[i];
        continue;
      }
      const std::string& name = two == "%u" ? asker.principal.name : asker.client;
      const bool at_front = rule.filter.starts_with(two);
      bent = bent || bends(name) || (at_front && name.starts_with('$'));
      out += name;
      replaced = true;
      ++i;
    }
    literal += out + "/";
    wide += (replaced ? "+" : out) + "/";
  }
  literal.pop_back();
  wide.pop_back();
  if (!bent) return {literal};
  if (rule.allow) return {};
  return {literal, wide};
}

enum class Said { allowed, denied, nothing };

Said read_rules(const std::vector<Rule>& rules, const Asker& asker, Action action, const std::string& topic) {
  Said said = Said::nothing;
  for (const Rule& rule : rules) {
    if (!concerns(rule, asker, action)) continue;
    for (const std::string& filter : readings(rule, asker)) {
      if (!fuzz::matches(filter, topic)) continue;
      if (!rule.allow) return Said::denied;
      said = Said::allowed;
    }
  }
  return said;
}

bool allowed(const std::vector<Rule>& rules, bool default_allow, const Asker& asker, Action action,
             const std::string& topic) {
  if (action == Action::publish && (topic == "$SYS" || topic.starts_with("$SYS/"))) return false;
  const Said said = read_rules(rules, asker, action, topic);
  if (said != Said::nothing || !default_allow) return said == Said::allowed;
  if (!topic.starts_with('$')) return true;
  return action == Action::subscribe && (topic == "$SYS" || topic.starts_with("$SYS/"));
}

// ---- the input

Rule make_rule(fuzz::Input& input) {
  Rule rule;
  const uint8_t flags = input.byte();
  rule.allow = (flags & 1) == 0;
  rule.publish = (flags & 2) == 0;
  rule.subscribe = (flags & 4) == 0;
  rule.who = static_cast<Rule::Who>((flags >> 3) % 3);
  if (rule.who == Rule::Who::users) {
    for (std::size_t n = input.below(3); n > 0; --n) rule.users.emplace_back(input.one_of(kNames));
  }
  rule.filter = flags >= 224 ? input.text(input.below(12)) : input.levels(kRuleLevels);
  rule.source = "f:1";
  return rule;
}

void check_covers(const Policy& policy, const std::vector<Rule>& rules, const Asker& asker,
                  const std::string& filter) {
  const Coverage coverage = policy.covers({asker.principal, asker.client}, filter);
  const fuzz::Split levels = fuzz::split(filter);
  for (const std::string& topic : small_world()) {
    if (!fuzz::matches(levels, fuzz::split(topic))) continue;
    const bool may = policy.decide({asker.principal, asker.client}, Action::subscribe, topic).allowed();
    if (coverage == Coverage::all) FUZZ_CHECK(may);
    if (coverage == Coverage::none) FUZZ_CHECK(!may);
    // Only deny rules make holes.
    if (coverage == Coverage::holed)
      FUZZ_CHECK(may || read_rules(rules, asker, Action::subscribe, topic) == Said::denied);
  }
}

// Whoever may publish now may still; and where no rule speaks of client ids, nobody else.
void check_still(const Policy& policy, const std::vector<Rule>& rules, const Asker& asker,
                 const std::string& topic, bool may_now) {
  const bool still = policy.may_still_publish(asker.principal, topic);
  FUZZ_CHECK(!may_now || still);
  const bool by_client = std::ranges::any_of(
      rules, [](const Rule& rule) { return rule.filter.find("%c") != std::string::npos; });
  if (!by_client && topic != "$SYS" && !topic.starts_with("$SYS/")) FUZZ_CHECK(still == may_now);
}

void check_rules(fuzz::Input& input) {
  std::vector<Rule> rules;
  for (std::size_t n = input.below(7); n > 0; --n) {
    Rule rule = make_rule(input);
    // One bad rule refuses them all; the others are tried without it.
    const auto alone = Policy::make({rule}, {});
    FUZZ_CHECK(alone.ok() || alone.error().reason.starts_with("f:1: "));
    if (alone.ok()) rules.push_back(std::move(rule));
  }
  const bool default_allow = input.flag();
  const auto policy = Policy::make(rules, {.epoch = 1, .default_allow = default_allow});
  FUZZ_CHECK(policy.ok());
  Asker asker;
  asker.principal.name = input.one_of(kNames);
  asker.client = input.one_of(kNames);
  for (std::size_t n = 0; n < 8; ++n) {
    const std::string topic =
        input.empty() ? small_world()[n * 29 % small_world().size()] : input.levels(kFilterLevels);
    if (check_topic(topic)) continue;
    for (const Action action : {Action::publish, Action::subscribe}) {
      const Decision decision = (*policy)->decide({asker.principal, asker.client}, action, topic);
      FUZZ_CHECK(decision.allowed() == allowed(rules, default_allow, asker, action, topic));
      if (action == Action::publish) check_still(**policy, rules, asker, topic, decision.allowed());
      FUZZ_CHECK(decision.reason().starts_with(decision.allowed() ? "allowed" : "denied"));
    }
  }
  const std::string filter = input.levels(kFilterLevels);
  if (!check_filter(filter)) check_covers(**policy, rules, asker, filter);
}

// A file is taken whole or refused whole: every line that is neither comment nor blank is a user with a hash.
void check_users(const std::string& text) {
  const Result<UserTable> table = UserTable::parse(text, "users");
  if (!table.ok()) {
    FUZZ_CHECK(table.error().reason.starts_with("users:"));
    return;
  }
  std::size_t entries = 0;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    if (end > begin && text[begin] != '#') ++entries;
    begin = end + 1;
  }
  FUZZ_CHECK(table->size() == entries && table->names().size() == entries);
  for (const std::string& name : table->names()) {
    FUZZ_CHECK(!check_user_name(name) && !bends(name));
    const std::string* hash = table->hash_of(name);
    FUZZ_CHECK(hash != nullptr && is_password_hash(*hash));
    FUZZ_CHECK(text.find(name + ":" + *hash) != std::string::npos);
  }
  FUZZ_CHECK(table->hash_of("nobody: here") == nullptr);
  if (entries > 0) FUZZ_CHECK(is_password_hash(table->hash_like("nobody")));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  if (input.byte() % 4 == 0) {
    check_users(input.rest());
  } else {
    check_rules(input);
  }
  return 0;
}
