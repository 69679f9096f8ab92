// Who may do what on which topic: one function decides for every door and every path of delivery.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/hash.h"
#include "base/result.h"
#include "message/principal.h"
#include "message/slow_policy.h"

namespace arena::access {

// publish: live, retained and will messages; nobody but the broker itself under $SYS and $gap, whatever the rules. subscribe:
// subscribing and every delivery.
enum class Action : uint8_t { publish, subscribe };

struct Rule {
  enum class Who : uint8_t { everybody, anonymous, users };

  bool allow = true;  // false: deny, which wins over every allow, whatever the order
  bool publish = false;
  bool subscribe = false;
  Who who = Who::everybody;        // everybody includes anonymous
  std::vector<std::string> users;  // exactly when who == users
  // A plain filter. %u stands for the user's name, %c for the client id; both are put in literally. A name or id
  // that could change the filter's meaning never satisfies an allow rule, and always satisfies a deny rule.
  std::string filter;
  // Of subscriptions that this rule allows and that ask for none themselves.
  std::optional<SlowPolicy> slow;
  std::string source;  // where the rule is written, "arena.toml:12", for explanations
};

// Who asks. Refers to its owner's texts: for the duration of a call only.
struct Subject {
  PrincipalView principal;
  std::string_view client_id;
};

// The answer for one concrete topic. Cheap to make and to copy; the reason is put into words only when asked for.
// Refers to the policy that made it: use it while you hold that.
class Decision {
 public:
  enum class Cause : uint8_t { internal, rule, no_user_yet, no_rule, server_only };

  bool allowed() const { return allowed_; }
  explicit operator bool() const { return allowed_; }
  // One sentence for a person, naming the rule: for logs and `explain`, not for the wire.
  std::string reason() const;

 private:
  friend class Policy;
  Decision(bool allowed, Cause cause, const Rule* rule) : allowed_(allowed), cause_(cause), rule_(rule) {}
  bool allowed_;
  Cause cause_;
  const Rule* rule_;
};

// What a subject may read of all that a filter matches. `all` and `none` are certain. `holed`: everything is allowed, but
// deny rules take something out, so each delivery is decided on its topic. `part`: not everything is allowed, or it
// could not be shown.
enum class Coverage : uint8_t { all, holed, part, none };
// May such a subscription be made at all? What deny rules take out is withheld at delivery.
constexpr bool may_subscribe(Coverage coverage) { return coverage == Coverage::all || coverage == Coverage::holed; }

// Immutable; shared by all cores. Rules are replaced as a whole by a new policy with a higher epoch. Whoever stores
// an answer stores the epoch with it and asks again when the epoch has moved.
class Policy {
 public:
  struct Options {
    uint32_t epoch = 1;
    // True only while no users file is set. Grants everything but topics that begin with '$', of which only $SYS may be
    // read and only $replies be published to. Deny rules still hold.
    bool default_allow = false;
  };

  // Refuses the whole set for one bad rule; the error names the rule's source.
  static Result<std::shared_ptr<const Policy>> make(std::vector<Rule> rules, const Options& options);

  Policy(const Policy&) = delete;
  Policy& operator=(const Policy&) = delete;

  uint32_t epoch() const { return options_.epoch; }
  // `topic` is valid (check_topic). Allocates nothing unless a rule with a placeholder needs a long text.
  Decision decide(const Subject& subject, Action action, std::string_view topic) const;
  // For a message that was published before: might this user still publish it? Under which client id they did is not
  // known any more, so an allow rule about %c holds as for anybody's, and a deny rule about it does not.
  bool may_still_publish(const PrincipalView& principal, std::string_view topic) const;
  // `filter` is valid and plain (a group's prefix taken off).
  Coverage covers(const Subject& subject, std::string_view filter) const;
  // Of the first rule that has one and allows all of `filter`; rules about users and anonymous come before those about
  // everybody.
  std::optional<SlowPolicy> slow_policy(const Subject& subject, std::string_view filter) const;

 private:
  struct Compiled {
    Rule rule;
    bool has_user = false;  // the filter contains %u
    bool has_client = false;
    std::string widened;  // the filter with '+' for every level that contains a placeholder
  };
  using Indexes = std::vector<uint32_t>;

  explicit Policy(const Options& options) : options_(options) {}
  void add(Rule rule);
  template <typename Test>
  static bool applies(const Compiled& compiled, const Subject& subject, Test test);
  // Visits the rules about this principal and action until `visit` returns false.
  template <typename Visit>
  void for_each_rule(const PrincipalView& principal, Action action, Visit visit) const;

  Options options_;
  std::vector<Compiled> rules_;
  // Which rules concern whom, so that a decision costs the subject's rules and not everybody's.
  Indexes for_everybody_;
  Indexes for_anonymous_;
  std::unordered_map<std::string, Indexes, StringHash, std::equal_to<>> for_user_;
};

}  // namespace arena::access
