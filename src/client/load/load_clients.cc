#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "client/load/load.h"
#include "codec/mqtt/encoder.h"
#include "runtime/clock.h"

namespace arena::client {

namespace {

constexpr uint64_t kLatencySample = 16;  // every so many; at a fixed rate every one

struct Stamp {
  uint32_t publisher;
  uint64_t sequence;
  int64_t at_ns;
};

void write_stamp(char* to, const Stamp& stamp) {
  std::memcpy(to, &stamp.publisher, 4);
  std::memcpy(to + 4, &stamp.sequence, 8);
  std::memcpy(to + 12, &stamp.at_ns, 8);
}

Stamp read_stamp(const char* from) {
  Stamp stamp{};
  std::memcpy(&stamp.publisher, from, 4);
  std::memcpy(&stamp.sequence, from + 4, 8);
  std::memcpy(&stamp.at_ns, from + 12, 8);
  return stamp;
}

constexpr uint32_t kSessionExpiryS = 24 * 3600;

ClientOptions options_for(const LoadOptions& load, uint32_t run, unsigned number, const LoadRole& role) {
  ClientOptions options;
  options.version = load.version;
  options.client_id = fmt::format("load-{:08x}-{}", run, role.same_as.value_or(number));
  options.clean_start = !role.persistent;
  options.session_expiry_s = role.persistent ? kSessionExpiryS : 0;
  options.user_name = load.user_name;
  options.password = load.password;
  options.keep_alive_s = 600;
  return options;
}

Guarantee publishing_qos(const LoadOptions& load) {
  return reads_later(load.scenario) ? Guarantee::at_least_once : load.qos;
}

}  // namespace

LoadClient::LoadClient(Load& load, unsigned number, LoadRole role)
    : load_(load),
      number_(number),
      role_(std::move(role)),
      client_(load.loop_, options_for(load.options_, load.run_, number, role_), session_, *this) {}

LoadClient::~LoadClient() { client_.abort(); }

void LoadClient::on_connack(const mqtt::Connack& connack) {
  if (is_error(connack.reason)) return;  // on_closed tells
  if (role_.persistent && role_.same_as && !connack.session_present) {
    return load_.fail_once("the server has forgotten a session");
  }
  if (role_.filter.empty()) return be_ready();
  mqtt::Subscribe packet;
  packet.subscriptions.push_back({role_.filter, role_.qos});
  client_.subscribe(std::move(packet));
}

void LoadClient::on_suback(const mqtt::Suback& suback) {
  const mqtt::Reason reason = suback.reasons.empty() ? mqtt::Reason::unspecified_error : suback.reasons.front();
  if (is_error(reason)) return load_.fail_once(fmt::format("a subscription was refused: {}", to_string(reason)), reason);
  if (static_cast<uint8_t>(reason) < static_cast<uint8_t>(role_.qos)) {
    return load_.fail_once(fmt::format("the server grants QoS {} only", static_cast<int>(reason)));
  }
  be_ready();
}

void LoadClient::be_ready() {
  if (!role_.leaves) return load_.on_ready();
  client_.disconnect();
}

void LoadClient::on_closed(const Ending& ending) {
  if (load_.leaving_ && !role_.leaves) return;  // taken over by the client that removes the session
  if (ending.kind != Ending::Kind::asked) return load_.fail_once("a client lost its connection: " + ending.text, ending.reason);
  load_.on_ready();
  load_.on_left(number_);  // the last: it destroys this client
}

LoadPublisher::LoadPublisher(Load& load, unsigned number, unsigned index, std::string topic)
    : LoadClient(load, number, {.filter = {}, .qos = publishing_qos(load.options_), .same_as = {}}),
      index_(index),
      topic_(std::move(topic)) {
  payload_ = std::string(kLoadPayloadMin, '\0') + load.fill_;
  mqtt::Publish packet;
  packet.topic = topic_;
  packet.payload = payload_;
  mqtt::encode(frame_, packet, load.options_.version);
}

// Deliveries that are waited for after each message.
uint64_t LoadPublisher::fan() const {
  if (reads_later(load_.options_.scenario)) return 0;
  return load_.options_.scenario == Scenario::pairs ? 1 : load_.subscribers_.size();
}

uint64_t LoadPublisher::credit() const {
  const uint64_t fan = this->fan();
  const uint64_t undelivered = fan == 0 ? 0 : (sent_ * fan - delivered_ + fan - 1) / fan;
  const uint64_t unacknowledged = role_.qos == Guarantee::at_most_once ? 0 : sent_ - acknowledged_;
  const uint64_t used = std::max(undelivered, unacknowledged);
  return used < load_.options_.window ? load_.options_.window - used : 0;
}

bool LoadPublisher::settled() const {
  return delivered_ >= sent_ * fan() && (role_.qos == Guarantee::at_most_once || acknowledged_ == sent_);
}

void LoadPublisher::fill() {
  asked_ = false;
  for (uint64_t left = credit(); left > 0 && load_.may_send(sent_); --left) send_one();
}

void LoadPublisher::send_one() {
  const bool timed = load_.options_.window == 1 || sent_ % kLatencySample == 0;
  send(timed ? runtime::monotonic_ns() : 0);
}

void LoadPublisher::send_due(int64_t due_ns) {
  if (!client_.stream()->writable()) return load_.fail_once("the server is 16 MiB behind: it cannot do this rate");
  send(due_ns);
}

void LoadPublisher::send(int64_t stamp_ns) {
  const Stamp stamp{index_, sent_, stamp_ns};
  ++sent_;
  ++load_.published_;
  if (role_.qos == Guarantee::at_most_once) {
    write_stamp(frame_.data() + frame_.size() - payload_.size(), stamp);
    client_.stream()->write(frame_);
    return;
  }
  if (stamp_ns != 0 && reads_later(load_.options_.scenario)) timed_.emplace_back(stamp.sequence, stamp_ns);
  write_stamp(payload_.data(), stamp);
  mqtt::Publish packet;
  packet.topic = topic_;
  packet.payload = payload_;
  packet.qos = role_.qos;
  if (!client_.publish(packet)) load_.fail_once("a message was not taken: too large for this server?");
}

void LoadPublisher::on_published(uint16_t, mqtt::Reason reason) {
  if (is_error(reason)) return load_.fail_once(fmt::format("a message was refused: {}", to_string(reason)), reason);
  if (!timed_.empty() && timed_.front().first == acknowledged_) {
    load_.latencies_.add(runtime::monotonic_ns() - timed_.front().second);
    timed_.pop_front();
  }
  ++acknowledged_;
  ++load_.acknowledged_;
  ask_to_fill();
}

void LoadPublisher::ask_to_fill() {
  if (asked_ || load_.options_.rate > 0) return;
  asked_ = true;
  load_.ask_to_fill(*this);
}

LoadSubscriber::LoadSubscriber(Load& load, unsigned number, LoadRole role, unsigned first, unsigned count)
    : LoadClient(load, number, std::move(role)), first_(first), checks_(count) {}

void LoadSubscriber::on_message(const mqtt::Publish& message) {
  if (!is_intact(message.payload)) {
    ++foreign_;
    return;
  }
  const Stamp stamp = read_stamp(message.payload.data());
  const uint32_t slot = stamp.publisher - first_;
  if (slot >= checks_.size()) {
    ++foreign_;
    return;
  }
  checks_[slot].see(stamp.sequence);
  ++load_.delivered_;
  if (reads_later(load_.options_.scenario)) return;
  if (stamp.at_ns != 0) load_.latencies_.add(runtime::monotonic_ns() - stamp.at_ns);
  load_.publishers_[stamp.publisher]->on_delivered();
}

bool LoadSubscriber::is_intact(std::string_view payload) const {
  const std::string& fill = load_.fill_;
  return payload.size() == kLoadPayloadMin + fill.size() && payload.ends_with(fill);
}

void LoadSubscriber::add_to(LoadReport& report) const {
  for (std::size_t i = 0; i < checks_.size(); ++i) {
    report.lost += checks_[i].lost(load_.publishers_[first_ + i]->sent());
    report.duplicated += checks_[i].duplicated();
    report.reordered += checks_[i].reordered();
  }
  report.foreign += foreign_;
}

}  // namespace arena::client
