#include "cli/password_prompt.h"

#include <fmt/format.h>
#include <signal.h>
#include <termios.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "access/password.h"

namespace arena::cli {

namespace {

// Echo off while it lives. An interrupt breaks the read instead of the process, so that echo comes back.
class Silence {
 public:
  Silence() {
    struct sigaction action {};
    action.sa_handler = [](int) {};
    ::sigaction(SIGINT, &action, &interrupt_);
    ::tcgetattr(STDIN_FILENO, &before_);
    termios silent = before_;
    silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    silent.c_lflag |= ECHONL;
    ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent);
  }
  ~Silence() {
    ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &before_);
    ::sigaction(SIGINT, &interrupt_, nullptr);
  }
  Silence(const Silence&) = delete;
  Silence& operator=(const Silence&) = delete;

 private:
  termios before_{};
  struct sigaction interrupt_ {};
};

Result<std::string> ask(std::string_view prompt) {
  fmt::print(stderr, "{}: ", prompt);
  std::fflush(stderr);
  const Silence silence;
  return read_password_line();
}

}  // namespace

// Byte by byte: nothing of it stays in a buffer that nobody wipes, and what follows the line stays unread.
Result<std::string> read_password_line() {
  std::string line;
  line.reserve(access::kPasswordBytesMax + 1);
  while (line.size() <= access::kPasswordBytesMax) {
    char c = 0;
    const ssize_t size = ::read(STDIN_FILENO, &c, 1);
    if (size < 0 && errno == EINTR) return fail("interrupted");
    if (size < 0) return fail("cannot read standard input");
    if (size == 0 && line.empty()) return fail("standard input ended before a password");
    if (size == 0 || c == '\n') return line;
    line.push_back(c);
  }
  access::wipe(line);
  return fail("the password is longer than 4096 bytes");
}

Result<std::string> ask_new_password(std::string_view prompt) {
  if (::isatty(STDIN_FILENO) == 0) return read_password_line();
  auto first = ask(prompt);
  if (!first) return first;
  auto second = ask("Once more");
  const bool same = second && *first == *second;
  if (second) access::wipe(*second);
  if (same) return first;
  access::wipe(*first);
  if (!second) return second;
  return fail("the two passwords differ");
}

}  // namespace arena::cli
