// The log: text on a terminal, JSON lines otherwise. Payloads and secrets are never logged.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

namespace arena::log {

enum class Level : uint8_t { debug, info, warn, error };
enum class Format : uint8_t { automatic, text, json };  // automatic: text when stderr is a terminal

struct Field {
  std::string_view key;
  std::string value;
  Field(std::string_view k, std::string v) : key(k), value(std::move(v)) {}
  Field(std::string_view k, std::string_view v) : key(k), value(v) {}
  Field(std::string_view k, const char* v) : key(k), value(v) {}
  Field(std::string_view k, int64_t v) : key(k), value(std::to_string(v)) {}
  Field(std::string_view k, uint64_t v) : key(k), value(std::to_string(v)) {}
  Field(std::string_view k, int v) : key(k), value(std::to_string(v)) {}
  Field(std::string_view k, unsigned v) : key(k), value(std::to_string(v)) {}
};

// Called once at start, before other threads exist; before that, warnings and errors go to stderr as text.
void configure(Level level, Format format);
// Any thread. Never blocks a loop: the queue is bounded and drops its oldest lines. Control characters in values
// are escaped, so that a value cannot forge a line.
void write(Level level, std::string_view component, std::string_view message, std::initializer_list<Field> fields = {});
// Waits until what was written is out.
void flush();

inline void debug(std::string_view component, std::string_view message, std::initializer_list<Field> fields = {}) {
  write(Level::debug, component, message, fields);
}
inline void info(std::string_view component, std::string_view message, std::initializer_list<Field> fields = {}) {
  write(Level::info, component, message, fields);
}
inline void warn(std::string_view component, std::string_view message, std::initializer_list<Field> fields = {}) {
  write(Level::warn, component, message, fields);
}
inline void error(std::string_view component, std::string_view message, std::initializer_list<Field> fields = {}) {
  write(Level::error, component, message, fields);
}

}  // namespace arena::log
