// Eclipse Paho's synchronous C client (MQTTClient).
#include <MQTTClient.h>

#include <atomic>
#include <map>

#include "inbox.h"

namespace {

class Client {
 public:
  Client(int version, Options options);
  ~Client() {
    if (MQTTClient_isConnected(handle_)) MQTTClient_disconnect(handle_, 0);
    MQTTClient_destroy(&handle_);
  }
  Client(const Client&) = delete;

  int reason() const { return reason_; }
  bool present() const { return present_; }
  static bool tells_present(int version) { return version < 5; }  // 1.3.12 keeps it to itself in version 5
  int subscribe(const std::string& filter, int qos, SubscribeOptions options = {});
  int publish(const std::string& topic, const std::string& payload, int qos, bool retained = false,
              const std::string& content_type = "");
  Message next() { return inbox_.take(); }
  std::size_t waiting() { return inbox_.size(); }
  void wait_lost() {
    eventually([this] { return lost_ || !MQTTClient_isConnected(handle_); }, "the end of the connection");
  }
  void leave() { MQTTClient_disconnect(handle_, 1000); }

 private:
  void connect(const Options& options);
  static int on_message(void* context, char* topic, int length, MQTTClient_message* message);
  static void on_published(void* context, int token, int, MQTTProperties*, enum MQTTReasonCodes reason);
  static void on_lost(void* context, char*) { static_cast<Client*>(context)->lost_ = true; }

  const int version_;
  MQTTClient handle_ = nullptr;
  int reason_ = 0;
  bool present_ = false;
  std::atomic<bool> lost_ = false;
  Inbox inbox_;
  std::mutex mutex_;
  std::map<int, int> reasons_;
};

#include "scenarios.h"

Client::Client(int version, Options options) : version_(version) {
  if (options.id.empty()) options.id = unique("paho-c-");
  if (options.port.empty()) options.port = open_port;
  const std::string uri = "tcp://127.0.0.1:" + options.port;
  MQTTClient_createOptions create = MQTTClient_createOptions_initializer;
  create.MQTTVersion = version == 5 ? MQTTVERSION_5 : MQTTVERSION_3_1_1;
  MQTTClient_createWithOptions(&handle_, uri.c_str(), options.id.c_str(), MQTTCLIENT_PERSISTENCE_NONE, nullptr, &create);
  MQTTClient_setCommandTimeout(handle_, static_cast<unsigned long>(patience().count()));
  MQTTClient_setCallbacks(handle_, this, on_lost, on_message, nullptr);
  if (version == 5) MQTTClient_setPublished(handle_, this, on_published);
  connect(options);
}

void Client::connect(const Options& options) {
  MQTTClient_connectOptions connect = MQTTClient_connectOptions_initializer;
  if (version_ == 5) connect = MQTTClient_connectOptions_initializer5;
  connect.MQTTVersion = version_ == 5 ? MQTTVERSION_5 : MQTTVERSION_3_1_1;
  (version_ == 5 ? connect.cleanstart : connect.cleansession) = options.clean;
  connect.reliable = 0;
  connect.connectTimeout = static_cast<int>(patience().count() / 1000);
  if (!options.user.empty()) {
    connect.username = options.user.c_str();
    connect.password = options.password.c_str();
  }
  MQTTClient_willOptions will = MQTTClient_willOptions_initializer;
  if (!options.will_topic.empty()) {
    will.topicName = options.will_topic.c_str();
    will.message = options.will_payload.c_str();
    will.qos = options.will_qos;
    connect.will = &will;
  }
  if (version_ < 5) {
    reason_ = MQTTClient_connect(handle_, &connect);
    present_ = connect.returned.sessionPresent;
    return;
  }
  MQTTProperties properties = MQTTProperties_initializer;
  if (options.expiry >= 0) {
    MQTTProperty expiry{};
    expiry.identifier = MQTTPROPERTY_CODE_SESSION_EXPIRY_INTERVAL;
    expiry.value.integer4 = static_cast<unsigned>(options.expiry);
    MQTTProperties_add(&properties, &expiry);
  }
  MQTTResponse response = MQTTClient_connect5(handle_, &connect, &properties, nullptr);
  reason_ = response.reasonCode;
  present_ = connect.returned.sessionPresent;
  MQTTResponse_free(response);
  MQTTProperties_free(&properties);
}

int Client::subscribe(const std::string& filter, int qos, SubscribeOptions options) {
  if (version_ < 5) {
    const int answer = MQTTClient_subscribe(handle_, filter.c_str(), qos);
    return answer == MQTTCLIENT_SUCCESS ? qos : answer;
  }
  MQTTSubscribe_options given = MQTTSubscribe_options_initializer;
  given.noLocal = options.no_local;
  given.retainHandling = static_cast<unsigned char>(options.retain_handling);
  MQTTResponse response = MQTTClient_subscribe5(handle_, filter.c_str(), qos, &given, nullptr);
  const int answer = response.reasonCodeCount > 1 ? response.reasonCodes[0] : response.reasonCode;
  MQTTResponse_free(response);
  return answer;
}

int Client::publish(const std::string& topic, const std::string& payload, int qos, bool retained,
                    const std::string& content_type) {
  MQTTClient_message message = MQTTClient_message_initializer;
  message.payload = const_cast<char*>(payload.data());
  message.payloadlen = static_cast<int>(payload.size());
  message.qos = qos;
  message.retained = retained;
  if (!content_type.empty()) {
    MQTTProperty property{};
    property.identifier = MQTTPROPERTY_CODE_CONTENT_TYPE;
    property.value.data = {static_cast<int>(content_type.size()), const_cast<char*>(content_type.data())};
    MQTTProperties_add(&message.properties, &property);
  }
  MQTTClient_deliveryToken token = 0;
  int sent = MQTTCLIENT_SUCCESS;
  if (version_ == 5) {
    MQTTResponse response = MQTTClient_publishMessage5(handle_, topic.c_str(), &message, &token);
    sent = response.reasonCode;
    MQTTResponse_free(response);
  } else {
    sent = MQTTClient_publishMessage(handle_, topic.c_str(), &message, &token);
  }
  MQTTProperties_free(&message.properties);
  if (sent != MQTTCLIENT_SUCCESS) throw Failed("publish: " + std::to_string(sent));
  if (qos == 0) return 0;
  if (version_ < 5) return MQTTClient_waitForCompletion(handle_, token, static_cast<unsigned long>(patience().count()));
  int answer = 0;
  eventually([&] {
    std::lock_guard lock(mutex_);
    const auto found = reasons_.find(token);
    if (found == reasons_.end()) return false;
    answer = found->second;
    reasons_.erase(found);
    return true;
  }, "acknowledgement");
  return answer;
}

int Client::on_message(void* context, char* topic, int length, MQTTClient_message* message) {
  Message got;
  got.topic = length > 0 ? std::string(topic, static_cast<std::size_t>(length)) : topic;
  got.payload.assign(static_cast<char*>(message->payload), static_cast<std::size_t>(message->payloadlen));
  got.qos = message->qos;
  got.retained = message->retained;
  if (MQTTProperty* found = MQTTProperties_getProperty(&message->properties, MQTTPROPERTY_CODE_CONTENT_TYPE))
    got.content_type.assign(found->value.data.data, static_cast<std::size_t>(found->value.data.len));
  static_cast<Client*>(context)->inbox_.put(std::move(got));
  MQTTClient_freeMessage(&message);
  MQTTClient_free(topic);
  return 1;
}

void Client::on_published(void* context, int token, int, MQTTProperties*, enum MQTTReasonCodes reason) {
  Client* client = static_cast<Client*>(context);
  std::lock_guard lock(client->mutex_);
  client->reasons_[token] = reason;
}

}  // namespace

int main(int argc, char** argv) { return run_scenarios(argc, argv); }
