// Goal: one call is one line, in the announced form, and no value can forge a second one.
#include "base/log.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>
#include <vector>

namespace arena::log {
namespace {

// The log is configured once per process, so every case runs in a child of its own.
template <typename Body>
std::string stderr_of(Body body) {
  int ends[2];
  if (pipe(ends) != 0) return "no pipe";
  const pid_t child = fork();
  if (child == 0) {
    dup2(ends[1], STDERR_FILENO);
    close(ends[0]);
    close(ends[1]);
    body();
    flush();
    _exit(0);
  }
  close(ends[1]);
  std::string out;
  char buffer[4096];
  for (ssize_t n; (n = read(ends[0], buffer, sizeof buffer)) > 0;) out.append(buffer, static_cast<std::size_t>(n));
  close(ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  return out;
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::size_t from = 0;
  for (std::size_t end; (end = text.find('\n', from)) != std::string::npos; from = end + 1) {
    lines.push_back(text.substr(from, end - from));
  }
  return lines;
}

TEST(Log, JsonLineHasTimeLevelMessageComponentAndFields) {
  const std::string out = stderr_of([] {
    configure(Level::info, Format::json);
    info("net", "listening", {{"port", 1883}, {"address", "127.0.0.1"}});
  });
  const auto lines = lines_of(out);
  ASSERT_EQ(lines.size(), 1u) << out;
  EXPECT_EQ(lines[0].substr(0, 7), "{\"ts\":\"");
  EXPECT_NE(lines[0].find(
                R"(Z","level":"info","msg":"listening","component":"net","port":"1883","address":"127.0.0.1"})"),
            std::string::npos)
      << out;
}

TEST(Log, AutomaticIsJsonWhenStderrIsNoTerminal) {
  const std::string out = stderr_of([] {
    configure(Level::info, Format::automatic);
    warn("a", "b");
  });
  EXPECT_EQ(out.substr(0, 1), "{");
}

TEST(Log, ControlCharactersCannotForgeALine) {
  const std::string out = stderr_of([] {
    configure(Level::info, Format::json);
    info("mqtt", "refused", {{"client", std::string("a\n{\"ts\":\"x\"}\r\x1b[2J\x7f\0\xC2\x85\xff\"\\", 24)}});
  });
  const auto lines = lines_of(out);
  ASSERT_EQ(lines.size(), 1u) << out;
  EXPECT_NE(lines[0].find(R"("client":"a\n{\"ts\":\"x\"}\r\u001b[2J\u007f\u0000\u0085)"
                          "\xEF\xBF\xBD"
                          R"(\"\\")"),
            std::string::npos)
      << out;
}

TEST(Log, TextQuotesValuesThatNeedIt) {
  const std::string out = stderr_of([] {
    configure(Level::info, Format::text);
    error("net", "failed", {{"reason", "no route\nto host"}, {"code", 7}, {"empty", ""}});
  });
  EXPECT_NE(out.find("net: failed reason=\"no route\\nto host\" code=7 empty=\"\"\n"), std::string::npos) << out;
}

TEST(Log, LinesBelowTheLevelAreNotWritten) {
  const std::string out = stderr_of([] {
    configure(Level::warn, Format::json);
    info("a", "hidden");
    debug("a", "hidden");
    warn("a", "shown");
  });
  EXPECT_EQ(lines_of(out).size(), 1u) << out;
  EXPECT_EQ(out.find("hidden"), std::string::npos);
}

TEST(Log, BeforeConfigureOnlyWarningsAndErrorsAreWritten) {
  const std::string out = stderr_of([] {
    info("a", "hidden");
    warn("a", "shown");
  });
  EXPECT_EQ(out, "warn a: shown\n");
}

TEST(Log, LongValuesAreCut) {
  const std::string out = stderr_of([] {
    configure(Level::info, Format::json);
    info("a", "b", {{"topic", std::string(60000, 'x')}});
  });
  EXPECT_LT(out.size(), 4000u);
  EXPECT_NE(out.find("xxx...\"}"), std::string::npos);
}

TEST(Log, OverrunDropsTheOldestAndSaysHowMany) {
  const std::string out = stderr_of([] {
    configure(Level::info, Format::json);
    for (int i = 0; i < 100000; ++i) info("a", "line", {{"n", i}});
  });
  const auto lines = lines_of(out);
  ASSERT_FALSE(lines.empty());
  EXPECT_NE(lines.back().find("\"n\":\"99999\""), std::string::npos) << lines.back();
  if (lines.size() < 100000u) {
    EXPECT_NE(out.find("lines dropped"), std::string::npos);
  }
}

}  // namespace
}  // namespace arena::log
