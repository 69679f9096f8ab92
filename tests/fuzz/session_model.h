// What a broker owes its clients, in the plainest way: lists, no cores, no log. Held against the real one by
// fuzz_sessions. Where MQTT leaves a choice, a delivery is owed as `optional`: it may come once or not at
// all.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "codec/mqtt/packet.h"

namespace arena::fuzz {

constexpr auto k0 = Guarantee::at_most_once;
constexpr auto k1 = Guarantee::at_least_once;
constexpr auto k2 = Guarantee::exactly_once;
constexpr uint32_t kForGood = UINT32_MAX;

struct ModelMessage {
  std::size_t publisher = 0;
  std::string topic;
  std::string payload;
  Guarantee qos = k0;
  bool retain = false;
};

struct ModelWill {
  ModelMessage message;
  uint32_t delay_s = 0;
};

struct ModelSubscription {
  Guarantee granted = k0;
  bool no_local = false;
  bool keep_flag = false;
  uint32_t id = 0;
  bool durable = false;
};

// One delivery owed to one session.
struct Due {
  enum class Stage { unseen, seen, released, done };  // released: the receiver has said PUBREC

  ModelMessage message;
  Guarantee qos = k0;
  bool retain = false;  // what the flag shall say
  std::vector<uint32_t> ids;
  bool snapshot = false;  // a retained message that comes with a subscription
  bool optional = false;
  bool loose = false;  // subscriptions have changed since: QoS and identifiers may have, too
  Stage stage = Stage::unseen;
  uint16_t packet_id = 0;
  uint32_t connection = 0;  // by which it was seen last
};

struct ModelSession {
  bool exists = false;
  bool connected = false;
  uint32_t expiry_s = 0;
  uint32_t connection = 0;  // counts them
  uint64_t incarnation = 0;
  std::optional<ModelWill> will;
  int64_t will_due_ms = 0;  // of a session without connection
  int64_t expires_ms = 0;
  std::map<std::string, ModelSubscription> subscriptions;
  bool member = false;  // of the one shared group
  std::vector<Due> dues;
};

struct ConnectChoice {
  bool clean = true;
  uint32_t expiry_s = 0;
  std::optional<ModelWill> will;
};

class SessionModel {
 public:
  explicit SessionModel(std::size_t clients) : sessions(clients) {}

  // Is the session there already?
  bool connect(std::size_t client, const ConnectChoice& choice, int64_t now_ms);
  enum class Leaving { politely, with_will, abruptly };
  void detach(std::size_t client, Leaving how, std::optional<uint32_t> expiry_s, int64_t now_ms);
  void publish(const ModelMessage& message);
  // False: refused by the policy.
  bool subscribe(std::size_t client, const std::string& filter, ModelSubscription subscription,
                 int retain_handling);
  bool unsubscribe(std::size_t client, const std::string& filter);
  void join_group(std::size_t client);
  bool leave_group(std::size_t client);
  // Nobody may read what is below b/ from now on, or everybody again.
  void forbid(bool forbidden);
  // Time has come to now_ms. False: something is due so near to it that nobody can say whether it has
  // happened.
  bool advance(int64_t now_ms);
  // From now on the group's messages may come later, to another, or twice.
  void loosen_group() { group_is_loose_ = true; }

  // A PUBLISH has arrived; is it one that is owed? `why` says what is wrong with it.
  bool received(std::size_t client, const arena::mqtt::Publish& packet, std::string& why);
  // What is owed and has not come; empty: nothing. `room`: may more of QoS 1 and 2 be sent?
  std::string missing(std::size_t client, bool room) const;
  std::string missing_of_group() const;
  std::size_t subscriptions() const;
  std::size_t existing() const;

  std::vector<ModelSession> sessions;
  std::map<std::string, ModelMessage> retained;

 private:
  struct Shared {
    std::string payload;
    bool owed = false;
    std::size_t came = 0;
  };

  bool may_read(const std::string& topic) const {
    return !forbidden_ || !(topic == "b" || topic.starts_with("b/"));
  }
  void owe(std::size_t client, const ModelMessage& message);
  void end(std::size_t client);
  void doubt(ModelSession& session, const std::string& filter);
  Due* find(ModelSession& session, const arena::mqtt::Publish& packet);
  static bool overtakes(const ModelSession& session, const Due& due, const arena::mqtt::Publish& packet);
  static std::string near(const ModelSession& session, const arena::mqtt::Publish& packet);
  bool received_shared(std::size_t client, const arena::mqtt::Publish& packet, std::string& why);

  bool forbidden_ = false;
  bool group_is_loose_ = false;
  std::vector<Shared> shared_;
};

}  // namespace arena::fuzz
