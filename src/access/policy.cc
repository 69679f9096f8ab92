#include "access/policy.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <memory_resource>
#include <optional>

#include "message/topic.h"

namespace arena::access {

namespace {

using namespace std::string_view_literals;

constexpr std::string_view kUser = "%u";
constexpr std::string_view kClient = "%c";
constexpr std::string_view kUnsafe = "+#/\0\r\n"sv;

// One pass: a name that looks like a placeholder itself is put in as it is.
template <typename Text>
void substitute(std::string_view filter, std::string_view user, std::string_view client, Text& out) {
  for (std::size_t i = 0; i < filter.size(); ++i) {
    const std::string_view two = filter.substr(i, 2);
    if (two == kUser || two == kClient) {
      out.append(two == kUser ? user : client);
      ++i;
    } else {
      out.push_back(filter[i]);
    }
  }
}

// With '+' for every level that contains one of the placeholders.
std::string widen(std::string_view filter, std::string_view one, std::string_view other) {
  std::string out;
  Levels levels(filter);
  for (bool first = true; const auto level = levels.next(); first = false) {
    if (!first) out.push_back('/');
    const bool has_one = level->find(one) != std::string_view::npos || level->find(other) != std::string_view::npos;
    out.append(has_one ? "+"sv : *level);
  }
  return out;
}

// Could putting in `value` make the filter mean something its author did not write? At the front of the filter a
// '$' would turn it to reserved topics.
bool is_safe(std::string_view value, bool at_front) {
  if (value.empty() || value.find_first_of(kUnsafe) != std::string_view::npos) return false;
  return !(at_front && value.front() == '$');
}

bool applies_to_some_client(std::string_view filter, std::string_view user, std::string_view topic) {
  if (filter.find(kUser) != std::string_view::npos && !is_safe(user, filter.starts_with(kUser))) return false;
  std::string literal;
  substitute(widen(filter, kClient, kClient), user, {}, literal);
  return filter_matches(literal, topic);
}

bool is_sys(std::string_view topic) { return topic == "$SYS"sv || topic.starts_with("$SYS/"sv); }

// Whoever reads there takes it for the broker's own word.
bool is_brokers_own(std::string_view topic) { return is_sys(topic) || topic == "$gap"sv || topic.starts_with("$gap/"sv); }

// Each is made for one request and named to those alone who get it: whoever answers may write there, nobody reads what others are told.
bool is_reply(std::string_view topic) { return topic.starts_with("$replies/"sv); }

bool default_allows(Action action, std::string_view topic) {
  if (!topic.starts_with('$')) return true;
  return action == Action::subscribe ? is_sys(topic) : is_reply(topic);
}

std::optional<std::string> fault_of(const Rule& rule) {
  if (!rule.publish && !rule.subscribe) return "names no action: publish, subscribe or all";
  if (rule.slow && !(rule.allow && rule.subscribe)) return "says what a slow subscriber loses, but allows no subscribing";
  if ((rule.who == Rule::Who::users) == rule.users.empty()) {
    return "names no user; leave the list of users out to mean everybody";
  }
  // Nobody has such a name, those without a user neither: what was to be denied would not be.
  if (std::ranges::find(rule.users, std::string_view()) != rule.users.end()) return "names a user with an empty name";
  if (rule.who == Rule::Who::anonymous && rule.filter.find(kUser) != std::string::npos) {
    return "uses %u, but anonymous clients have no name";
  }
  if (rule.filter.starts_with("$share/")) {
    return fmt::format("has topic \"{}\"; write the filter without its $share/<group>/", rule.filter);
  }
  std::string sample;
  substitute(rule.filter, "x", "x", sample);
  if (const auto fault = check_filter(sample)) return fmt::format("has topic \"{}\", which {}", rule.filter, to_string(*fault));
  return std::nullopt;
}

std::string_view actions_of(const Rule& rule) {
  if (rule.publish && rule.subscribe) return "publish and subscribe";
  return rule.publish ? "publish" : "subscribe";
}

}  // namespace

std::string Decision::reason() const {
  switch (cause_) {
    case Cause::internal: return "allowed: the broker itself";
    case Cause::no_user_yet:
      return allowed_ ? "allowed: no user exists yet" : "denied: topics that begin with '$' need a rule";
    case Cause::no_rule: return "denied: no rule allows it";
    case Cause::server_only: return "denied: only the server publishes under $SYS and $gap";
    case Cause::rule: break;
  }
  return fmt::format("{} by {}: {} {} \"{}\"", allowed_ ? "allowed" : "denied", rule_->source,
                     allowed_ ? "allow" : "deny", actions_of(*rule_), rule_->filter);
}

Result<std::shared_ptr<const Policy>> Policy::make(std::vector<Rule> rules, const Options& options) {
  std::shared_ptr<Policy> policy(new Policy(options));
  policy->rules_.reserve(rules.size());
  for (Rule& rule : rules) {
    if (const auto fault = fault_of(rule)) return fail_with(fmt::format("{}: the rule {}", rule.source, *fault));
    policy->add(std::move(rule));
  }
  return std::shared_ptr<const Policy>(std::move(policy));
}

void Policy::add(Rule rule) {
  const auto index = static_cast<uint32_t>(rules_.size());
  switch (rule.who) {
    case Rule::Who::everybody: for_everybody_.push_back(index); break;
    case Rule::Who::anonymous: for_anonymous_.push_back(index); break;
    case Rule::Who::users:
      for (const std::string& user : rule.users) {
        Indexes& own = for_user_[user];
        if (own.empty() || own.back() != index) own.push_back(index);
      }
      break;
  }
  Compiled compiled;
  compiled.has_user = rule.filter.find(kUser) != std::string::npos;
  compiled.has_client = rule.filter.find(kClient) != std::string::npos;
  if (compiled.has_user || compiled.has_client) compiled.widened = widen(rule.filter, kUser, kClient);
  compiled.rule = std::move(rule);
  rules_.push_back(std::move(compiled));
}

// Puts the rule's filter, as it reads for this subject, to the test. An unsafe name fails an allow rule; for a deny
// rule it is tested as written and as a wildcard.
template <typename Test>
bool Policy::applies(const Compiled& compiled, const Subject& subject, Test test) {
  const std::string& filter = compiled.rule.filter;
  if (!compiled.has_user && !compiled.has_client) return test(std::string_view(filter));
  const std::string_view user = subject.principal.name;
  const bool safe = (!compiled.has_user || is_safe(user, filter.starts_with(kUser))) &&
                    (!compiled.has_client || is_safe(subject.client_id, filter.starts_with(kClient)));
  if (!safe && compiled.rule.allow) return false;

  std::array<std::byte, 512> room;
  std::pmr::monotonic_buffer_resource pool(room.data(), room.size());
  std::pmr::string literal(&pool);
  literal.reserve(256);
  substitute(filter, user, subject.client_id, literal);
  if (test(std::string_view(literal))) return true;
  return !safe && test(std::string_view(compiled.widened));
}

template <typename Visit>
void Policy::for_each_rule(const PrincipalView& principal, Action action, Visit visit) const {
  const auto visit_all = [&](const Indexes& indexes) {
    for (const uint32_t index : indexes) {
      const Compiled& compiled = rules_[index];
      const bool concerned = action == Action::publish ? compiled.rule.publish : compiled.rule.subscribe;
      if (concerned && !visit(compiled)) return false;
    }
    return true;
  };
  if (!visit_all(for_everybody_)) return;
  if (principal.anonymous()) {
    visit_all(for_anonymous_);
  } else if (const auto own = for_user_.find(principal.name); own != for_user_.end()) {
    visit_all(own->second);
  }
}

Decision Policy::decide(const Subject& subject, Action action, std::string_view topic) const {
  if (subject.principal.internal) return {true, Decision::Cause::internal, nullptr};
  if (action == Action::publish && is_brokers_own(topic)) return {false, Decision::Cause::server_only, nullptr};
  const Rule* allow = nullptr;
  const Rule* deny = nullptr;
  for_each_rule(subject.principal, action, [&](const Compiled& compiled) {
    if (compiled.rule.allow && allow != nullptr) return true;
    if (!applies(compiled, subject, [&](std::string_view filter) { return filter_matches(filter, topic); })) return true;
    (compiled.rule.allow ? allow : deny) = &compiled.rule;
    return deny == nullptr;
  });
  if (deny != nullptr) return {false, Decision::Cause::rule, deny};
  if (allow != nullptr) return {true, Decision::Cause::rule, allow};
  if (!options_.default_allow) return {false, Decision::Cause::no_rule, nullptr};
  return {default_allows(action, topic), Decision::Cause::no_user_yet, nullptr};
}

bool Policy::may_still_publish(const PrincipalView& principal, std::string_view topic) const {
  if (principal.internal) return true;
  bool allowed = options_.default_allow && default_allows(Action::publish, topic), denied = false;
  for_each_rule(principal, Action::publish, [&](const Compiled& compiled) {
    const bool hit = compiled.has_client
                         ? compiled.rule.allow && applies_to_some_client(compiled.rule.filter, principal.name, topic)
                         : applies(compiled, {principal, {}}, [&](std::string_view filter) { return filter_matches(filter, topic); });
    if (hit) (compiled.rule.allow ? allowed : denied) = true;
    return !denied;
  });
  return allowed && !denied;
}

std::optional<SlowPolicy> Policy::slow_policy(const Subject& subject, std::string_view filter) const {
  std::optional<SlowPolicy> everybodys, own;
  for_each_rule(subject.principal, Action::subscribe, [&](const Compiled& compiled) {
    const Rule& rule = compiled.rule;
    std::optional<SlowPolicy>& found = rule.who == Rule::Who::everybody ? everybodys : own;
    if (!rule.slow || found) return true;
    if (applies(compiled, subject, [&](std::string_view outer) { return filter_covers(outer, filter); })) found = rule.slow;
    return true;
  });
  return own ? own : everybodys;
}

// One allow rule must cover the whole filter; that several together would is not looked for.
Coverage Policy::covers(const Subject& subject, std::string_view filter) const {
  if (subject.principal.internal) return Coverage::all;
  bool allow_all = false, allow_some = false, deny_all = false, deny_some = false;
  const auto take = [&](bool& all, bool& some, std::string_view outer) {
    all = all || filter_covers(outer, filter);
    some = some || filters_intersect(outer, filter);
    return false;  // look at every reading of the rule
  };
  for_each_rule(subject.principal, Action::subscribe, [&](const Compiled& compiled) {
    applies(compiled, subject, [&](std::string_view outer) {
      return compiled.rule.allow ? take(allow_all, allow_some, outer) : take(deny_all, deny_some, outer);
    });
    return !deny_all;
  });
  if (options_.default_allow) {
    take(allow_all, allow_some, "#");
    take(allow_all, allow_some, "$SYS/#");
  }
  if (deny_all || !allow_some) return Coverage::none;
  if (!allow_all) return Coverage::part;
  return deny_some ? Coverage::holed : Coverage::all;
}

}  // namespace arena::access
