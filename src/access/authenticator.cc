#include "access/authenticator.h"

#include <utility>

#include "access/password.h"

namespace arena::access {

namespace {

// One verification on its way to the password lane and back. Holds all it needs: the authenticator, the
// connection and the settings may be replaced meanwhile. Handed from core to lane and back, never used by two.
struct Verification {
  std::shared_ptr<const AuthSettings> settings;
  std::shared_ptr<const std::shared_ptr<const AuthSettings>> current;  // read on the core alone
  std::string user;
  std::string password;
  bool good = false;
  Authenticator::Done done;

  ~Verification() { wipe(password); }

  // For unknown names and absent passwords something is hashed too, so that the time tells nothing.
  void run() {
    const UserTable& users = settings->users;
    const std::string* known = users.hash_of(user);
    const std::string& hash = known != nullptr ? *known : users.empty() ? unsatisfiable_hash() : users.hash_like(user);
    const bool matches = verify_password(password, hash);
    good = matches && known != nullptr && !password.empty();
    wipe(password);
  }

  // Takes `done` out first: what it holds belongs to the core, and the lane may be the last to let go of this.
  void finish() {
    const auto call = [](Authenticator::Done taken, Result<Principal, AuthRefusal> result) { taken(std::move(result)); };
    if (!good) return call(std::move(done), fail(AuthRefusal::bad_credentials));
    Principal principal;
    principal.name = std::move(user);
    if (!still_welcome(principal, *settings, **current)) return call(std::move(done), fail(AuthRefusal::bad_credentials));
    call(std::move(done), std::move(principal));
  }
};

// From whom anonymous is taken, as a number that grows with the circle.
int anonymous_circle(const AuthSettings& settings) {
  if (settings.allow_anonymous) return *settings.allow_anonymous ? 2 : 0;
  return settings.users.empty() ? 1 : 0;
}

}  // namespace

bool still_welcome(const Principal& principal, const AuthSettings& before, const AuthSettings& now) {
  if (principal.internal) return true;
  if (principal.anonymous()) return anonymous_circle(now) >= anonymous_circle(before);
  const std::string* old_hash = before.users.hash_of(principal.name);
  const std::string* hash = now.users.hash_of(principal.name);
  return hash != nullptr && old_hash != nullptr && *hash == *old_hash;
}

std::string_view to_string(AuthRefusal refusal) {
  switch (refusal) {
    case AuthRefusal::bad_credentials: return "the user name or the password is wrong";
    case AuthRefusal::anonymous_refused: return "a user name and a password are needed";
    case AuthRefusal::busy: return "too many clients are being authenticated";
  }
  return "refused";
}

Authenticator::Authenticator(runtime::Loop& loop, std::shared_ptr<const AuthSettings> settings)
    : loop_(loop), current_(std::make_shared<std::shared_ptr<const AuthSettings>>(std::move(settings))) {}

void Authenticator::authenticate(Credentials credentials, Done done) {
  if (credentials.user || credentials.password) return verify(std::move(credentials), std::move(done));
  if (!anonymous_allowed(credentials.peer_loopback)) return done(fail(AuthRefusal::anonymous_refused));
  done(Principal{});
}

bool Authenticator::anonymous_allowed(bool peer_loopback) const {
  const int circle = anonymous_circle(settings());
  return circle == 2 || (circle == 1 && peer_loopback);
}

void Authenticator::verify(Credentials credentials, Done done) {
  auto verification = std::make_shared<Verification>();
  verification->settings = *current_;
  verification->current = current_;
  verification->user = std::move(credentials.user).value_or(std::string{});
  verification->password = std::move(credentials.password).value_or(std::string{});
  verification->done = std::move(done);
  const bool queued = loop_.run_blocking(
      runtime::Lane::password, [verification] { verification->run(); }, [verification] { verification->finish(); });
  if (!queued) verification->done(fail(AuthRefusal::busy));  // this is the only holder now
}

}  // namespace arena::access
