#include "server/config_toml.h"

#include <fmt/format.h>

// toml++ 3.3 asserts, and with NDEBUG lets the compiler assume, that a key begins where one may ("[[[" does not),
// although it goes on to report the opposite as an error. A bad file must be told, not be undefined behaviour.
#undef NDEBUG
#define TOML_ASSERT(expression) static_cast<void>(0)
#define TOML_EXCEPTIONS 0
#define TOML_HEADER_ONLY 1
#include <toml++/toml.h>

#include <algorithm>
#include <filesystem>
#include <optional>
#include <utility>

#include "server/settings.h"

namespace arena::server {

namespace {

using namespace std::string_view_literals;
using Names = std::vector<std::string_view>;

std::optional<Scalar> scalar_of(const toml::node& node) {
  if (const auto* number = node.as_integer()) return Scalar(number->get());
  if (const auto* flag = node.as_boolean()) return Scalar(flag->get());
  if (const auto* text = node.as_string()) return Scalar(text->get());
  return std::nullopt;
}

class Reader {
 public:
  Reader(const std::string& path, LoadedConfig& loaded, std::vector<ConfigError>& errors)
      : path_(path), loaded_(loaded), errors_(errors) {}

  void read(const toml::table& root) {
    Names sections;
    for (const Setting& setting : settings()) {
      if (std::ranges::find(sections, setting.section()) == sections.end()) sections.push_back(setting.section());
    }
    for (const auto& [key, node] : root) {
      if (std::ranges::find(sections, key.str()) == sections.end()) {
        refuse_unknown(key, {}, sections);
      } else if (const toml::table* table = node.as_table()) {
        read_section(key.str(), *table);
      } else {
        refuse(key.source(), key.str(), fmt::format("expected a table [{}]", key.str()));
      }
    }
  }

  void refuse(const toml::source_region& at, std::string_view key, std::string reason) {
    errors_.push_back({where(at), std::string(key), std::move(reason)});
  }

 private:
  std::string where(const toml::source_region& at) const { return fmt::format("{}:{}", path_, at.begin.line); }

  void refuse_unknown(const toml::key& key, std::string_view prefix, const Names& known) {
    const std::string_view best = nearest(key.str(), known);
    const std::string full = std::string(prefix) + std::string(key.str());
    refuse(key.source(), full, best.empty() ? "unknown setting; `arena config default` lists all"
                                            : fmt::format("unknown setting; did you mean \"{}{}\"?", prefix, best));
  }

  void read_section(std::string_view section, const toml::table& table) {
    Names known;
    for (const Setting& setting : settings()) {
      if (setting.section() == section) known.push_back(setting.name());
    }
    const bool has_rules = section == "auth"sv;
    if (has_rules) known.push_back("rules");
    for (const auto& [key, node] : table) {
      if (has_rules && key.str() == "rules"sv) {
        read_rules(node);
      } else if (std::ranges::find(known, key.str()) == known.end()) {
        refuse_unknown(key, fmt::format("{}.", section), known);
      } else {
        read_setting(fmt::format("{}.{}", section, key.str()), node);
      }
    }
  }

  void read_setting(const std::string& key, const toml::node& node) {
    const auto setting = std::ranges::find(settings(), std::string_view(key), &Setting::key);
    const Slot slot = setting->slot(loaded_.config);
    if (auto* const* listeners = std::get_if<std::vector<Listener>*>(&slot)) {
      if (!read_listeners(key, node, **listeners)) return;
    } else {
      const auto value = scalar_of(node);
      const auto fault = value ? assign(*setting, loaded_.config, *value) : "expected " + type_text(*setting);
      if (fault) return refuse(node.source(), key, *fault);
      if (setting->is_path) make_absolute_to_file(*std::get<std::string*>(slot));
    }
    loaded_.sources[static_cast<std::size_t>(setting - settings().begin())] = where(node.source());
  }

  void make_absolute_to_file(std::string& path) const {
    if (!path.empty()) path = (std::filesystem::path(path_).parent_path() / path).string();
  }

  bool read_listeners(const std::string& key, const toml::node& node, std::vector<Listener>& out) {
    const toml::array* array = node.as_array();
    std::vector<Listener> listeners;
    const std::size_t errors_before = errors_.size();
    if (array == nullptr) refuse(node.source(), key, "expected [{ address = \"127.0.0.1\", port = 1883 }]");
    for (std::size_t i = 0; array != nullptr && i < array->size(); ++i) read_listener(key, *array->get(i), listeners);
    if (errors_.size() != errors_before) return false;
    if (const auto fault = check_listeners(listeners)) return refuse(node.source(), key, *fault), false;
    out = std::move(listeners);
    return true;
  }

  void read_listener(const std::string& key, const toml::node& node, std::vector<Listener>& out) {
    const toml::table* table = node.as_table();
    if (table == nullptr) return refuse(node.source(), key, "expected { address = \"127.0.0.1\", port = 1883 }");
    Listener listener;
    int64_t port = listener.port;
    for (const auto& [name, value] : *table) {
      if (name.str() != "address"sv && name.str() != "port"sv) {
        return refuse_unknown(name, key + ".", {"address"sv, "port"sv});
      }
      const auto* text = name.str() == "address"sv ? value.as_string() : nullptr;
      const auto* number = name.str() == "port"sv ? value.as_integer() : nullptr;
      if (text != nullptr) {
        listener.address = text->get();
      } else if (number != nullptr) {
        port = number->get();
      } else {
        return refuse(value.source(), fmt::format("{}.{}", key, name.str()),
                      name.str() == "port"sv ? "expected an integer from 0 to 65535" : "expected a numeric address");
      }
    }
    if (const auto fault = check_listener(listener.address, port)) return refuse(node.source(), key, *fault);
    listener.port = static_cast<uint16_t>(port);
    out.push_back(std::move(listener));
  }

  // ---- [[auth.rules]]

  void read_rules(const toml::node& node) {
    const toml::array* array = node.as_array();
    if (array == nullptr) return refuse(node.source(), "auth.rules", "expected [[auth.rules]] tables");
    for (const toml::node& element : *array) {
      const toml::table* table = element.as_table();
      if (table == nullptr) {
        refuse(element.source(), "auth.rules", "expected an [[auth.rules]] table");
      } else {
        read_rule(*table);
      }
    }
  }

  void read_rule(const toml::table& table) {
    const std::size_t errors_before = errors_.size();
    access::Rule rule;
    const toml::node* topics = nullptr;
    unsigned effects = 0;
    for (const auto& [key, node] : table) {
      const std::string_view name = key.str();
      if (name == "allow"sv || name == "deny"sv) {
        ++effects;
        rule.allow = name == "allow"sv;
        read_actions(node, fmt::format("auth.rules.{}", name), rule);
      } else if (name == "users"sv) {
        rule.who = access::Rule::Who::users;
        for (const auto& [text, at] : texts_of(node, "auth.rules.users")) rule.users.push_back(text);
      } else if (name == "anonymous"sv) {
        read_anonymous(node, table.contains("users"), rule);
      } else if (name == "topics"sv) {
        topics = &node;
      } else if (name == "slow"sv) {
        read_slow(node, rule);
      } else {
        refuse_unknown(key, "auth.rules.", {"allow"sv, "deny"sv, "users"sv, "anonymous"sv, "topics"sv, "slow"sv});
      }
    }
    if (effects != 1) refuse(table.source(), "auth.rules", "expected either allow = [actions] or deny = [actions]");
    if (topics == nullptr) refuse(table.source(), "auth.rules", "expected topics = [\"filter\", …]");
    if (errors_.size() == errors_before) add_rules(rule, *topics);
  }

  void read_actions(const toml::node& node, const std::string& key, access::Rule& rule) {
    for (const auto& [text, at] : texts_of(node, key)) {
      const bool all = text == "all"sv;
      if (!all && text != "publish"sv && text != "subscribe"sv) {
        refuse(at, key, fmt::format("{} is no action; it takes \"publish\", \"subscribe\" or \"all\", and filters go into topics",
                                    toml_quote(text)));
      }
      rule.publish = rule.publish || all || text == "publish"sv;
      rule.subscribe = rule.subscribe || all || text == "subscribe"sv;
    }
  }

  void read_anonymous(const toml::node& node, bool has_users, access::Rule& rule) {
    const auto* flag = node.as_boolean();
    if (flag == nullptr || !flag->get() || has_users) {
      return refuse(node.source(), "auth.rules.anonymous", "expected true, and no users beside it; leave it out otherwise");
    }
    rule.who = access::Rule::Who::anonymous;
  }

  void read_slow(const toml::node& node, access::Rule& rule) {
    if (const auto* text = node.as_string()) rule.slow = slow_policy_of(text->get());
    if (rule.slow) return;
    refuse(node.source(), "auth.rules.slow", fmt::format("expected one of \"{}\"", fmt::join(kSlowPolicyNames, "\", \"")));
  }

  // A rule of the policy for each topic, so that an explanation can name the topic's own line.
  void add_rules(const access::Rule& rule, const toml::node& topics) {
    for (const auto& [text, at] : texts_of(topics, "auth.rules.topics")) {
      access::Rule one = rule;
      one.filter = text;
      one.source = where(at);
      const auto policy = access::Policy::make({one}, {});
      if (policy) {
        loaded_.config.auth.rules.push_back(std::move(one));
      } else {
        // The reason begins with the source, which `where` repeats.
        refuse(at, "auth.rules", policy.error().reason.substr(one.source.size() + 2));
      }
    }
  }

  // A non-empty list of texts, or one text; otherwise an error and nothing.
  std::vector<std::pair<std::string, toml::source_region>> texts_of(const toml::node& node, std::string_view key) {
    std::vector<std::pair<std::string, toml::source_region>> out;
    const auto take = [&](const toml::node& element) {
      if (const auto* text = element.as_string()) return out.emplace_back(text->get(), element.source()), true;
      refuse(element.source(), key, "expected a list of texts");
      return false;
    };
    if (const toml::array* array = node.as_array()) {
      if (array->empty()) refuse(node.source(), key, "is empty");
      for (const toml::node& element : *array) {
        if (!take(element)) return {};
      }
    } else {
      take(node);
    }
    return out;
  }

  const std::string& path_;
  LoadedConfig& loaded_;
  std::vector<ConfigError>& errors_;
};

}  // namespace

void read_toml(std::string_view toml, const std::string& path, LoadedConfig& loaded, std::vector<ConfigError>& errors) {
  Reader reader(path, loaded, errors);
  const toml::parse_result parsed = toml::parse(toml, std::string_view(path));
  if (!parsed) return reader.refuse(parsed.error().source(), {}, std::string(parsed.error().description()));
  reader.read(parsed.table());
}

}  // namespace arena::server
