// The one table of all settings: from it come reading, checking, the default file, `show` and the documentation.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "server/config.h"

namespace arena::server {

// Where a setting lives in a Config. The type says what it may be in the file.
using Slot = std::variant<uint64_t*, bool*, std::optional<bool>*, std::string*, std::vector<Listener>*>;

enum class Reload : uint8_t {
  at_once,          // SIGHUP suffices
  new_connections,  // SIGHUP suffices; connections that exist keep the old value
  restart,
};
std::string_view to_string(Reload reload);

struct Setting {
  std::string_view key;  // "mqtt.packet_bytes_max"
  Slot (*slot)(Config& config);
  std::string_view doc;
  Reload reload = Reload::restart;
  uint64_t min = 0;  // of numbers
  uint64_t max = UINT32_MAX;
  std::string_view unit = {};
  std::vector<std::string_view> choices = {};  // of texts; empty: any text
  bool is_path = false;
  bool may_be_never = false;  // the word "never" for `max`
  bool may_be_empty = false;  // of listeners

  std::string_view section() const { return key.substr(0, key.find('.')); }
  std::string_view name() const { return key.substr(key.find('.') + 1); }
};

// In the order of the default file; settings of a section stand together.
std::span<const Setting> settings();

// One value as it stands in the file or the environment; listeners excepted.
using Scalar = std::variant<int64_t, bool, std::string>;
// The reason when the value is of the wrong type or out of range; then the config is not changed.
std::optional<std::string> assign(const Setting& setting, Config& config, const Scalar& value);
// The same from text alone, listeners ("address:port, ...") included.
std::optional<std::string> assign_text(const Setting& setting, Config& config, std::string_view text);
// The reason why it cannot be listened on.
std::optional<std::string> check_listener(std::string_view address, int64_t port);
std::optional<std::string> check_listeners(const std::vector<Listener>& listeners, bool may_be_empty);

// "an integer from 1 to 64": for errors and documentation.
std::string type_text(const Setting& setting);
// As TOML; empty for an optional that is not set.
std::string value_text(const Setting& setting, const Config& config);
std::string toml_quote(std::string_view text);

// The known word nearest to `word`, or empty when none is near.
std::string_view nearest(std::string_view word, std::span<const std::string_view> known);

}  // namespace arena::server
