#include "access/authenticator.h"

#include <utility>

#include "access/password.h"

namespace arena::access {

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

namespace {

void refuse(const std::shared_ptr<Verification>& verification) {
  Authenticator::Done taken = std::move(verification->done);
  taken(fail(AuthRefusal::busy));
}

// Each is answered on the core it came from.
void on_core(runtime::Loop& loop, unsigned core, Task task) {
  if (core == loop.core()) return task();
  loop.post(core, std::move(task));
}

// One job in the lane at a time, so that who is next is decided when the lane is free. Goes on from this core until
// nobody waits.
void serve(runtime::Loop& loop, const std::shared_ptr<PasswordQueue>& queue) {
  std::optional<PasswordQueue::Entry> next = queue->next();
  if (!next) return;
  const std::shared_ptr<Verification>& verification = next->verification;
  const bool queued = loop.run_blocking(
      runtime::Lane::password, [verification] { verification->run(); },
      [&loop, queue, entry = *next]() mutable {
        queue->learn(entry.address, entry.verification->good, loop.now_ms());
        on_core(loop, entry.core, [one = std::move(entry.verification)] { one->finish(); });
        serve(loop, queue);
      });
  if (queued) return;
  for (; next; next = queue->next()) on_core(loop, next->core, [one = std::move(next->verification)] { refuse(one); });
}

// From whom anonymous is taken, as a number that grows with the circle.
int anonymous_circle(const AuthSettings& settings) {
  if (settings.allow_anonymous) return *settings.allow_anonymous ? 2 : 0;
  return settings.users.empty() ? 1 : 0;
}

}  // namespace

bool still_welcome(const PrincipalView& principal, const AuthSettings& before, const AuthSettings& now) {
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

Authenticator::Authenticator(runtime::Loop& loop, std::shared_ptr<const AuthSettings> settings,
                             std::shared_ptr<PasswordQueue> queue)
    : loop_(loop), queue_(std::move(queue)), current_(std::make_shared<std::shared_ptr<const AuthSettings>>(std::move(settings))) {}

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
  PasswordQueue::Pushed pushed = queue_->push({std::move(verification), loop_.core(), credentials.peer_address}, loop_.now_ms());
  if (pushed.displaced) {
    on_core(loop_, pushed.displaced->core, [one = std::move(pushed.displaced->verification)] { refuse(one); });
  }
  if (pushed.start) serve(loop_, queue_);
}

}  // namespace arena::access
