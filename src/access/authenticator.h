// Credentials to principal. Passwords are verified off the loop, one at a time, from a bounded queue.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "access/password_queue.h"
#include "access/users.h"
#include "base/result.h"
#include "base/unique_function.h"
#include "message/principal.h"
#include "runtime/loop.h"

namespace arena::access {

// What to tell the peer is the gateway's choice; absent, empty, unknown and wrong are all `bad_credentials`.
enum class AuthRefusal : uint8_t {
  bad_credentials,
  anonymous_refused,  // no credentials, and they are needed
  busy,               // too many verifications are waiting; nothing was hashed
};
std::string_view to_string(AuthRefusal refusal);

// As the peer presented them. Absent and empty differ.
struct Credentials {
  std::optional<std::string> user;
  std::optional<std::string> password;
  bool peer_loopback = false;
  uint64_t peer_address = 0;  // as a number, for fairness among addresses
};

// What a reload replaces. Immutable; shared by all cores.
struct AuthSettings {
  UserTable users;
  // Unset: anonymous from loopback while no user exists. Set: as told, from anywhere.
  std::optional<bool> allow_anonymous;
};

// Would `principal`, let in under `before`, be let in again under `now`? Not with a changed password, nor as anonymous
// where that has become narrower.
bool still_welcome(const PrincipalView& principal, const AuthSettings& before, const AuthSettings& now);

// One per core; called on that core.
class Authenticator {
 public:
  using Done = UniqueFunction<void(Result<Principal, AuthRefusal>)>;

  // `loop` outlives this. All cores share the queue.
  Authenticator(runtime::Loop& loop, std::shared_ptr<const AuthSettings> settings, std::shared_ptr<PasswordQueue> queue);

  // Calls `done` once, on this core: before returning when no password has to be verified, in a later turn
  // otherwise, even if this object has died meanwhile. Whoever may be gone by then must say so in `done`.
  void authenticate(Credentials credentials, Done done);
  // Verifications already under way are refused when their user is gone or has another password by now.
  void replace(std::shared_ptr<const AuthSettings> settings) { *current_ = std::move(settings); }
  const AuthSettings& settings() const { return **current_; }
  // Is who says no name let in, now?
  bool anonymous_allowed(bool peer_loopback) const;

 private:
  void verify(Credentials credentials, Done done);

  runtime::Loop& loop_;
  std::shared_ptr<PasswordQueue> queue_;
  std::shared_ptr<std::shared_ptr<const AuthSettings>> current_;  // shared with verifications under way, on this core
};

}  // namespace arena::access
