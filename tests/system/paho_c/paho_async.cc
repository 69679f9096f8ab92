// Eclipse Paho's asynchronous C client (MQTTAsync).
#include <MQTTAsync.h>

#include <atomic>

#include "inbox.h"

namespace {

// What an operation came to; the library's thread fills it in.
struct Outcome {
  std::atomic<bool> done = false;
  int reason = 0;
  bool session_present = false;
};

class Client {
 public:
  Client(int version, Options options);
  ~Client() {
    if (MQTTAsync_isConnected(handle_)) leave();
    MQTTAsync_destroy(&handle_);
  }
  Client(const Client&) = delete;

  int reason() const { return connected_.reason; }
  bool present() const { return connected_.session_present; }
  static bool tells_present(int) { return true; }
  int subscribe(const std::string& filter, int qos, SubscribeOptions options = {});
  int publish(const std::string& topic, const std::string& payload, int qos, bool retained = false,
              const std::string& content_type = "");
  Message next() { return inbox_.take(); }
  std::size_t waiting() { return inbox_.size(); }
  void wait_lost() {
    eventually([this] { return lost_ || !MQTTAsync_isConnected(handle_); }, "the end of the connection");
  }
  void leave();

 private:
  void connect(const Options& options);
  MQTTAsync_responseOptions answering(Outcome& outcome) const;
  static int on_message(void* context, char* topic, int length, MQTTAsync_message* message);
  static void on_lost(void* context, char*) { static_cast<Client*>(context)->lost_ = true; }

  const int version_;
  MQTTAsync handle_ = nullptr;
  Outcome connected_;
  std::atomic<bool> lost_ = false;
  Inbox inbox_;
};

#include "scenarios.h"

void finish(void* context, int reason) {
  Outcome* outcome = static_cast<Outcome*>(context);
  outcome->reason = reason;
  outcome->done = true;
}

void wait(Outcome& outcome, const std::string& what) {
  eventually([&] { return outcome.done.load(); }, what);
}

Client::Client(int version, Options options) : version_(version) {
  if (options.id.empty()) options.id = unique("paho-ca-");
  if (options.port.empty()) options.port = open_port;
  const std::string uri = "tcp://127.0.0.1:" + options.port;
  MQTTAsync_createOptions create = MQTTAsync_createOptions_initializer;
  create.MQTTVersion = version == 5 ? MQTTVERSION_5 : MQTTVERSION_3_1_1;
  MQTTAsync_createWithOptions(&handle_, uri.c_str(), options.id.c_str(), MQTTCLIENT_PERSISTENCE_NONE, nullptr, &create);
  MQTTAsync_setCallbacks(handle_, this, on_lost, on_message, nullptr);
  connect(options);
}

void Client::connect(const Options& options) {
  MQTTAsync_connectOptions connect = MQTTAsync_connectOptions_initializer;
  if (version_ == 5) connect = MQTTAsync_connectOptions_initializer5;
  connect.MQTTVersion = version_ == 5 ? MQTTVERSION_5 : MQTTVERSION_3_1_1;
  (version_ == 5 ? connect.cleanstart : connect.cleansession) = options.clean;
  if (!options.user.empty()) {
    connect.username = options.user.c_str();
    connect.password = options.password.c_str();
  }
  MQTTAsync_willOptions will = MQTTAsync_willOptions_initializer;
  if (!options.will_topic.empty()) {
    will.topicName = options.will_topic.c_str();
    will.message = options.will_payload.c_str();
    will.qos = options.will_qos;
    connect.will = &will;
  }
  MQTTProperties properties = MQTTProperties_initializer;
  if (version_ == 5 && options.expiry >= 0) {
    MQTTProperty expiry{};
    expiry.identifier = MQTTPROPERTY_CODE_SESSION_EXPIRY_INTERVAL;
    expiry.value.integer4 = static_cast<unsigned>(options.expiry);
    MQTTProperties_add(&properties, &expiry);
    connect.connectProperties = &properties;
  }
  connect.context = &connected_;
  if (version_ == 5) {
    connect.onSuccess5 = [](void* context, MQTTAsync_successData5* data) {
      static_cast<Outcome*>(context)->session_present = data->alt.connect.sessionPresent;
      finish(context, 0);
    };
    connect.onFailure5 = [](void* context, MQTTAsync_failureData5* data) {
      finish(context, data->reasonCode != 0 ? data->reasonCode : data->code);
    };
  } else {
    connect.onSuccess = [](void* context, MQTTAsync_successData* data) {
      static_cast<Outcome*>(context)->session_present = data->alt.connect.sessionPresent;
      finish(context, 0);
    };
    connect.onFailure = [](void* context, MQTTAsync_failureData* data) { finish(context, data->code); };
  }
  const int sent = MQTTAsync_connect(handle_, &connect);
  if (sent != MQTTASYNC_SUCCESS) throw Failed("connect: " + std::to_string(sent));
  wait(connected_, "CONNACK");
  MQTTProperties_free(&properties);
}

MQTTAsync_responseOptions Client::answering(Outcome& outcome) const {
  MQTTAsync_responseOptions options = MQTTAsync_responseOptions_initializer;
  options.context = &outcome;
  if (version_ == 5) {
    options.onSuccess5 = [](void* context, MQTTAsync_successData5* data) { finish(context, data->reasonCode); };
    options.onFailure5 = [](void* context, MQTTAsync_failureData5* data) {
      finish(context, data->reasonCode != 0 ? data->reasonCode : data->code);
    };
  } else {
    options.onSuccess = [](void* context, MQTTAsync_successData*) { finish(context, 0); };
    options.onFailure = [](void* context, MQTTAsync_failureData* data) { finish(context, data->code); };
  }
  return options;
}

int Client::subscribe(const std::string& filter, int qos, SubscribeOptions options) {
  Outcome outcome;
  MQTTAsync_responseOptions response = answering(outcome);
  response.subscribeOptions.noLocal = options.no_local;
  response.subscribeOptions.retainHandling = static_cast<unsigned char>(options.retain_handling);
  if (version_ < 5)
    response.onSuccess = [](void* context, MQTTAsync_successData* data) { finish(context, data->alt.qos); };
  const int sent = MQTTAsync_subscribe(handle_, filter.c_str(), qos, &response);
  if (sent != MQTTASYNC_SUCCESS) throw Failed("subscribe: " + std::to_string(sent));
  wait(outcome, "SUBACK");
  return outcome.reason;
}

int Client::publish(const std::string& topic, const std::string& payload, int qos, bool retained,
                    const std::string& content_type) {
  Outcome outcome;
  MQTTAsync_responseOptions response = answering(outcome);
  MQTTAsync_message message = MQTTAsync_message_initializer;
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
  const int sent = MQTTAsync_sendMessage(handle_, topic.c_str(), &message, &response);
  MQTTProperties_free(&message.properties);
  if (sent != MQTTASYNC_SUCCESS) throw Failed("publish: " + std::to_string(sent));
  wait(outcome, "acknowledgement");
  return outcome.reason;
}

void Client::leave() {
  Outcome outcome;
  MQTTAsync_disconnectOptions options = MQTTAsync_disconnectOptions_initializer;
  options.context = &outcome;
  if (version_ == 5) {
    options = MQTTAsync_disconnectOptions_initializer5;
    options.context = &outcome;
    options.onSuccess5 = [](void* context, MQTTAsync_successData5*) { finish(context, 0); };
    options.onFailure5 = [](void* context, MQTTAsync_failureData5*) { finish(context, 1); };
  } else {
    options.onSuccess = [](void* context, MQTTAsync_successData*) { finish(context, 0); };
    options.onFailure = [](void* context, MQTTAsync_failureData*) { finish(context, 1); };
  }
  options.timeout = 1000;
  if (MQTTAsync_disconnect(handle_, &options) == MQTTASYNC_SUCCESS) wait(outcome, "DISCONNECT sent");
}

int Client::on_message(void* context, char* topic, int length, MQTTAsync_message* message) {
  Message got;
  got.topic = length > 0 ? std::string(topic, static_cast<std::size_t>(length)) : topic;
  got.payload.assign(static_cast<char*>(message->payload), static_cast<std::size_t>(message->payloadlen));
  got.qos = message->qos;
  got.retained = message->retained;
  if (MQTTProperty* found = MQTTProperties_getProperty(&message->properties, MQTTPROPERTY_CODE_CONTENT_TYPE))
    got.content_type.assign(found->value.data.data, static_cast<std::size_t>(found->value.data.len));
  static_cast<Client*>(context)->inbox_.put(std::move(got));
  MQTTAsync_freeMessage(&message);
  MQTTAsync_free(topic);
  return 1;
}

}  // namespace

int main(int argc, char** argv) { return run_scenarios(argc, argv); }
