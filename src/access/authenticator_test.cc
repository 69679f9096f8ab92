// Goal: a principal is given only for the right password or where anonymous is allowed; every other way of presenting
// credentials is refused alike; nothing is hashed on the loop or when the lane is full.
#include "access/authenticator.h"

#include <gtest/gtest.h>

#include <deque>
#include <optional>
#include <string>
#include <utility>

#include "access/password.h"

namespace arena::access {
namespace {

class FakeLoop final : public runtime::Loop {
 public:
  unsigned core() const override { return 0; }
  unsigned cores() const override { return 1; }
  int64_t now_ms() const override { return 0; }
  int64_t wall_ms() const override { return 0; }
  uint64_t random() override { return 4; }
  void arm(runtime::Timer&, int64_t) override {}
  void defer(Task) override {}
  void post(unsigned, Task) override {}
  bool run_blocking(runtime::Lane lane, Task work, Task done) override {
    EXPECT_EQ(lane, runtime::Lane::password);
    if (jobs.size() >= jobs_max) return false;
    jobs.emplace_back(std::move(work), std::move(done));
    return true;
  }
  unsigned drain() {
    unsigned count = 0;
    for (; !jobs.empty(); ++count) {
      auto job = std::move(jobs.front());
      jobs.pop_front();
      job.first();
      job.second();
    }
    return count;
  }
  std::deque<std::pair<Task, Task>> jobs;
  std::size_t jobs_max = 4;
};

std::shared_ptr<const AuthSettings> settings_of(bool with_ann, std::optional<bool> allow_anonymous = std::nullopt) {
  AuthSettings settings;
  if (with_ann) {
    const auto hash = hash_password("right", {.passes = 1, .memory_bytes = 8192});
    settings.users = *UserTable::parse("ann:" + *hash, "users");
  }
  settings.allow_anonymous = allow_anonymous;
  return std::make_shared<const AuthSettings>(std::move(settings));
}

std::shared_ptr<PasswordQueue> a_queue(std::size_t waiting_max = 64) { return std::make_shared<PasswordQueue>(waiting_max); }

struct Outcome {
  std::optional<Principal> principal;
  std::optional<AuthRefusal> refusal;
  unsigned calls = 0;
};

Authenticator::Done into(Outcome& outcome) {
  return [&outcome](Result<Principal, AuthRefusal> result) {
    ++outcome.calls;
    if (result) {
      outcome.principal = *std::move(result);
    } else {
      outcome.refusal = result.error();
    }
  };
}

Outcome ask(FakeLoop& loop, Authenticator& authenticator, Credentials credentials) {
  Outcome outcome;
  authenticator.authenticate(std::move(credentials), into(outcome));
  loop.drain();
  EXPECT_EQ(outcome.calls, 1u);
  return outcome;
}

TEST(Authenticator, GivesThePrincipalForTheRightPassword) {
  FakeLoop loop;
  Authenticator authenticator(loop, settings_of(true), a_queue());
  const auto outcome = ask(loop, authenticator, {"ann", "right", false});
  ASSERT_TRUE(outcome.principal);
  EXPECT_EQ(outcome.principal->name, "ann");
  EXPECT_FALSE(outcome.principal->internal);
}

// THREATS.md §2: absent, empty and wrong are not the same, and all are refused the same way: after one hash.
TEST(Authenticator, RefusesEveryOtherCredentialAlike) {
  for (const auto& settings : {settings_of(true), settings_of(true, true), settings_of(false), settings_of(false, true)}) {
    FakeLoop loop;
    Authenticator authenticator(loop, settings, a_queue());
    const std::optional<std::string> none;
    for (auto& credentials : {Credentials{"ann", "wrong", true}, Credentials{"ann", "", true}, Credentials{"ann", none, true},
                              Credentials{"", "", true}, Credentials{"", none, true}, Credentials{none, "right", true},
                              Credentials{none, "", true}, Credentials{"bob", "right", true}, Credentials{"Ann", "right", true},
                              Credentials{std::string("ann\0", 4), "right", true}}) {
      Outcome outcome;
      authenticator.authenticate(credentials, into(outcome));
      EXPECT_EQ(outcome.calls, 0u);
      EXPECT_EQ(loop.drain(), 1u);
      EXPECT_EQ(outcome.refusal, AuthRefusal::bad_credentials);
    }
  }
}

TEST(Authenticator, AnonymousOnlyFromLoopbackWhileNoUserExists) {
  FakeLoop loop;
  Authenticator authenticator(loop, settings_of(false), a_queue());
  const auto near = ask(loop, authenticator, {{}, {}, true});
  ASSERT_TRUE(near.principal);
  EXPECT_TRUE(near.principal->anonymous());
  EXPECT_EQ(ask(loop, authenticator, {{}, {}, false}).refusal, AuthRefusal::anonymous_refused);
  authenticator.replace(settings_of(true));
  EXPECT_EQ(ask(loop, authenticator, {{}, {}, true}).refusal, AuthRefusal::anonymous_refused);
}

TEST(Authenticator, AnonymousAsConfigured) {
  FakeLoop loop;
  Authenticator open(loop, settings_of(true, true), a_queue());
  EXPECT_TRUE(ask(loop, open, {{}, {}, false}).principal);
  Authenticator shut(loop, settings_of(false, false), a_queue());
  EXPECT_EQ(ask(loop, shut, {{}, {}, true}).refusal, AuthRefusal::anonymous_refused);
}

TEST(Authenticator, RefusesUnhashedWhenTheLaneIsFull) {
  FakeLoop loop;
  loop.jobs_max = 0;
  Authenticator authenticator(loop, settings_of(true), a_queue());
  Outcome outcome;
  authenticator.authenticate({"ann", "right", true}, into(outcome));
  EXPECT_EQ(outcome.refusal, AuthRefusal::busy);
  EXPECT_EQ(outcome.calls, 1u);
}

// One is in the lane, one waits; whoever is over that is told so at once and costs no hash.
TEST(Authenticator, RefusesUnhashedWhatTheQueueHasNoRoomFor) {
  FakeLoop loop;
  Authenticator authenticator(loop, settings_of(true), a_queue(1));
  Outcome first, second, third, fourth;
  authenticator.authenticate({"ann", "wrong", true, 1}, into(first));
  authenticator.authenticate({"ann", "wrong", true, 1}, into(second));
  authenticator.authenticate({"ann", "wrong", true, 1}, into(third));
  EXPECT_EQ(second.refusal, AuthRefusal::busy);  // the newest of its like is the one kept
  authenticator.authenticate({"ann", "right", true, 2}, into(fourth));
  EXPECT_EQ(third.refusal, AuthRefusal::busy);
  EXPECT_EQ(loop.drain(), 2u);
  EXPECT_EQ(first.refusal, AuthRefusal::bad_credentials);
  EXPECT_TRUE(fourth.principal);
}

TEST(Authenticator, AnswersAfterItsDeath) {
  FakeLoop loop;
  Outcome outcome;
  {
    Authenticator authenticator(loop, settings_of(true), a_queue());
    authenticator.authenticate({"ann", "right", false}, into(outcome));
  }
  loop.drain();
  EXPECT_TRUE(outcome.principal);
}

TEST(Authenticator, RefusesWhoseUserIsTakenAwayWhileThePasswordIsVerified) {
  FakeLoop loop;
  Outcome outcome;
  Authenticator authenticator(loop, settings_of(true), a_queue());
  authenticator.authenticate({"ann", "right", false}, into(outcome));
  authenticator.replace(settings_of(false));
  loop.drain();
  EXPECT_EQ(outcome.refusal, AuthRefusal::bad_credentials);
}

TEST(StillWelcome, TheSameUserWithTheSamePassword) {
  const auto users = settings_of(true), none = settings_of(false), other_salt = settings_of(true);
  Principal ann;
  ann.name = "ann";
  EXPECT_TRUE(still_welcome(ann, *users, *users));
  EXPECT_FALSE(still_welcome(ann, *users, *none));
  EXPECT_FALSE(still_welcome(ann, *users, *other_salt));
}

TEST(StillWelcome, AnonymousWhereTheCircleHasNotNarrowed) {
  const auto users = settings_of(true), none = settings_of(false);
  const auto open = settings_of(false, true), shut = settings_of(false, false);
  const Principal anonymous;
  EXPECT_TRUE(still_welcome(anonymous, *none, *none));
  EXPECT_TRUE(still_welcome(anonymous, *none, *open));
  EXPECT_FALSE(still_welcome(anonymous, *none, *users));
  EXPECT_FALSE(still_welcome(anonymous, *open, *none));
  EXPECT_FALSE(still_welcome(anonymous, *open, *shut));
  Principal broker;
  broker.internal = true;
  EXPECT_TRUE(still_welcome(broker, *open, *shut));
}

}  // namespace
}  // namespace arena::access
