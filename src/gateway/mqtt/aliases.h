// Topic aliases of one connection: numbers that stand for topics, both ways. Allocated on first use.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace arena::gateway::mqtt {

// Set by the client [MQTT-3.3.2-7, MQTT-3.3.2-12].
class InboundAliases {
 public:
  // Precondition: 1 <= alias.
  void set(uint16_t alias, std::string_view topic) {
    if (topics_.size() < alias) topics_.resize(alias);
    topics_[alias - 1U] = topic;
  }
  // Empty: not set.
  std::string_view get(uint16_t alias) const {
    return alias == 0 || alias > topics_.size() ? std::string_view{} : topics_[alias - 1U];
  }

 private:
  std::vector<std::string> topics_;
};

// Set by us: the first topics that are sent get the numbers [MQTT-3.1.2-26, MQTT-3.3.2-11].
class OutboundAliases {
 public:
  struct Use {
    uint16_t alias = 0;      // 0: none
    bool with_topic = true;  // the first time, both go out
  };
  Use use(std::string_view topic, uint16_t aliases_max) {
    const auto it = aliases_.find(topic);
    if (it != aliases_.end()) return {it->second, false};
    if (aliases_.size() >= aliases_max) return {};
    const auto alias = static_cast<uint16_t>(aliases_.size() + 1);
    aliases_.emplace(topic, alias);
    return {alias, true};
  }
  void forget_last(std::string_view topic) {
    const auto it = aliases_.find(topic);
    if (it != aliases_.end() && it->second == aliases_.size()) aliases_.erase(it);
  }

 private:
  std::map<std::string, uint16_t, std::less<>> aliases_;
};

}  // namespace arena::gateway::mqtt
