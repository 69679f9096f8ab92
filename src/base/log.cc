#include "base/log.h"

#include <pthread.h>
#include <spdlog/async_logger.h>
#include <spdlog/details/thread_pool.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/ansicolor_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <memory>
#include <thread>

#include "base/printable.h"

namespace arena::log {
namespace {

constexpr std::size_t kQueueLines = 8192;
constexpr std::size_t kValueBytesMax = 2048;  // with kQueueLines this bounds the queue's memory
constexpr int kFlushTimeoutMs = 2000;

constexpr std::string_view kLevelNames[] = {"debug", "info", "warn", "error"};

spdlog::level::level_enum to_spdlog(Level level) {
  switch (level) {
    case Level::debug: return spdlog::level::debug;
    case Level::info: return spdlog::level::info;
    case Level::warn: return spdlog::level::warn;
    case Level::error: break;
  }
  return spdlog::level::err;
}

// Escapes as JSON strings do; what is not UTF-8 becomes U+FFFD, so that every line stays valid JSON.
void append_escaped(std::string& out, std::string_view text) {
  const bool cut = text.size() > kValueBytesMax;
  append_printable(out, text.substr(0, kValueBytesMax), "\"\\");
  if (cut) out += "...";
}

void append_quoted(std::string& out, std::string_view text) {
  out += '"';
  append_escaped(out, text);
  out += '"';
}

void append_json_member(std::string& out, std::string_view key, std::string_view value) {
  append_quoted(out, key);
  out += ':';
  append_quoted(out, value);
}

// What follows the time stamp inside the braces.
std::string json_line(Level level, std::string_view component, std::string_view message,
                      std::initializer_list<Field> fields) {
  std::string out;
  append_json_member(out, "level", kLevelNames[static_cast<std::size_t>(level)]);
  out += ',';
  append_json_member(out, "msg", message);
  out += ',';
  append_json_member(out, "component", component);
  for (const Field& field : fields) {
    out += ',';
    append_json_member(out, field.key, field.value);
  }
  return out;
}

bool needs_quotes(std::string_view value) {
  if (value.empty()) return true;
  for (const char c : value) {
    if (c == ' ' || c == '"' || c == '=' || c == '\\') return true;
  }
  return false;
}

std::string text_line(std::string_view component, std::string_view message, std::initializer_list<Field> fields) {
  std::string out;
  append_escaped(out, component);
  out += ": ";
  append_escaped(out, message);
  for (const Field& field : fields) {
    out += ' ';
    append_escaped(out, field.key);
    out += '=';
    if (needs_quotes(field.value)) {
      append_quoted(out, field.value);
    } else {
      append_escaped(out, field.value);
    }
  }
  return out;
}

// Stands after the real sink: counts what came out and tells of lines that the full queue dropped.
// Runs on the log's own thread.
class Tally : public spdlog::sinks::sink {
 public:
  Tally(std::shared_ptr<spdlog::sinks::sink> output, spdlog::details::thread_pool& pool, bool json)
      : output_(std::move(output)), pool_(pool), json_(json) {}

  void log(const spdlog::details::log_msg&) override {
    const std::size_t dropped = pool_.overrun_counter();
    if (dropped != told_) {
      tell(dropped - told_);
      told_ = dropped;
    }
    written_.fetch_add(1, std::memory_order_release);
  }
  void flush() override {}
  void set_pattern(const std::string&) override {}
  void set_formatter(std::unique_ptr<spdlog::formatter>) override {}

  uint64_t settled() const { return written_.load(std::memory_order_acquire) + pool_.overrun_counter(); }

 private:
  void tell(std::size_t count) {
    const std::string text = std::to_string(count);
    const std::string line = json_ ? json_line(Level::warn, "log", "lines dropped", {{"count", text}})
                                   : text_line("log", "lines dropped", {{"count", text}});
    output_->log(spdlog::details::log_msg("arena", spdlog::level::warn, line));
  }

  std::shared_ptr<spdlog::sinks::sink> output_;
  spdlog::details::thread_pool& pool_;
  bool json_;
  std::size_t told_ = 0;
  std::atomic<uint64_t> written_{0};
};

struct Log {
  bool json = false;
  std::atomic<Level> level{Level::info};
  std::shared_ptr<spdlog::details::thread_pool> pool;
  std::shared_ptr<Tally> tally;
  std::shared_ptr<spdlog::async_logger> logger;
  std::atomic<uint64_t> submitted{0};
};

// The one piece of process-wide state in Arena: set once by configure(), never freed, so that a line written
// while the process ends finds it alive.
std::atomic<Log*> g_log{nullptr};

// The log's thread must never be the one that a signal for the process is delivered to.
std::shared_ptr<spdlog::details::thread_pool> make_pool() {
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  auto pool = std::make_shared<spdlog::details::thread_pool>(kQueueLines, 1);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return pool;
}

std::shared_ptr<spdlog::sinks::sink> make_output(bool json) {
  std::shared_ptr<spdlog::sinks::sink> output;
  const char* pattern;
  if (json) {
    output = std::make_shared<spdlog::sinks::stderr_sink_mt>();
    pattern = R"({"ts":"%Y-%m-%dT%H:%M:%S.%eZ",%v})";
  } else {
    output = std::make_shared<spdlog::sinks::ansicolor_stderr_sink_mt>();
    pattern = "%Y-%m-%dT%H:%M:%S.%eZ %^%-7l%$ %v";
  }
  output->set_formatter(
      std::make_unique<spdlog::pattern_formatter>(pattern, spdlog::pattern_time_type::utc, std::string("\n")));
  return output;
}

void write_unconfigured(Level level, std::string_view component, std::string_view message,
                        std::initializer_list<Field> fields) {
  if (level < Level::warn) return;
  std::string line(kLevelNames[static_cast<std::size_t>(level)]);
  line += ' ';
  line += text_line(component, message, fields);
  line += '\n';
  [[maybe_unused]] const ssize_t ignored = ::write(STDERR_FILENO, line.data(), line.size());
}

}  // namespace

void configure(Level level, Format format) {
  if (Log* log = g_log.load(std::memory_order_acquire)) {
    log->level = level;  // asked again: only the level can change, the output is fixed
    return;
  }
  auto log = std::make_unique<Log>();
  log->json = format == Format::json || (format == Format::automatic && isatty(STDERR_FILENO) == 0);
  log->level = level;
  log->pool = make_pool();
  const auto output = make_output(log->json);
  log->tally = std::make_shared<Tally>(output, *log->pool, log->json);
  const spdlog::sinks_init_list sinks{output, log->tally};
  log->logger = std::make_shared<spdlog::async_logger>("arena", sinks, log->pool,
                                                       spdlog::async_overflow_policy::overrun_oldest);
  log->logger->set_level(spdlog::level::trace);
  g_log.store(log.release(), std::memory_order_release);
  std::atexit([] { flush(); });
}

void write(Level level, std::string_view component, std::string_view message, std::initializer_list<Field> fields) {
  Log* log = g_log.load(std::memory_order_acquire);
  if (log == nullptr) return write_unconfigured(level, component, message, fields);
  if (level < log->level) return;
  const std::string line =
      log->json ? json_line(level, component, message, fields) : text_line(component, message, fields);
  log->submitted.fetch_add(1, std::memory_order_relaxed);
  log->logger->log(to_spdlog(level), spdlog::string_view_t(line.data(), line.size()));
}

void flush() {
  Log* log = g_log.load(std::memory_order_acquire);
  if (log == nullptr) return;
  const uint64_t wanted = log->submitted.load(std::memory_order_relaxed);
  for (int waited_ms = 0; log->tally->settled() < wanted && waited_ms < kFlushTimeoutMs; ++waited_ms) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

}  // namespace arena::log
