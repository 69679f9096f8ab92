#include "access/authenticator.h"

#include <utility>

#include "access/password.h"

namespace arena::access {

namespace {

// One verification on its way to the password lane and back. Holds all it needs: the authenticator, the
// connection and the settings may be replaced meanwhile. Handed from core to lane and back, never used by two.
struct Verification {
  std::shared_ptr<const AuthSettings> settings;
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
    call(std::move(done), std::move(principal));
  }
};

}  // namespace

std::string_view to_string(AuthRefusal refusal) {
  switch (refusal) {
    case AuthRefusal::bad_credentials: return "the user name or the password is wrong";
    case AuthRefusal::anonymous_refused: return "a user name and a password are needed";
    case AuthRefusal::busy: return "too many clients are being authenticated";
  }
  return "refused";
}

Authenticator::Authenticator(runtime::Loop& loop, std::shared_ptr<const AuthSettings> settings)
    : loop_(loop), settings_(std::move(settings)) {}

void Authenticator::authenticate(Credentials credentials, Done done) {
  if (credentials.user || credentials.password) return verify(std::move(credentials), std::move(done));
  if (!anonymous_allowed(credentials.peer_loopback)) return done(fail(AuthRefusal::anonymous_refused));
  done(Principal{});
}

bool Authenticator::anonymous_allowed(bool peer_loopback) const {
  if (settings_->allow_anonymous) return *settings_->allow_anonymous;
  return peer_loopback && settings_->users.empty();
}

void Authenticator::verify(Credentials credentials, Done done) {
  auto verification = std::make_shared<Verification>();
  verification->settings = settings_;
  verification->user = std::move(credentials.user).value_or(std::string{});
  verification->password = std::move(credentials.password).value_or(std::string{});
  verification->done = std::move(done);
  const bool queued = loop_.run_blocking(
      runtime::Lane::password, [verification] { verification->run(); }, [verification] { verification->finish(); });
  if (!queued) verification->done(fail(AuthRefusal::busy));  // this is the only holder now
}

}  // namespace arena::access
