#include "client/session.h"

#include <algorithm>
#include <utility>

#include "codec/mqtt/encoder.h"

namespace arena::client {

namespace {
constexpr std::size_t kSpareFramesMax = 64;
}  // namespace

bool ClientSession::in_use(uint16_t id) const {
  if (!queue_.empty() && distance(id) <= distance(queue_.back().id)) return true;
  return std::find(requests_.begin(), requests_.end(), id) != requests_.end();
}

// Never jumps over the queue's front, which would break its order: when that is reached no identifier is free.
uint16_t ClientSession::next_id() {
  uint16_t id = last_id_;
  for (std::size_t tries = 0; tries <= requests_.size() + 1; ++tries) {
    ++id;
    if (id == 0) ++id;
    if (!in_use(id)) return last_id_ = id;
  }
  return 0;
}

const Outgoing* ClientSession::add(mqtt::Publish publish, mqtt::Version version, std::size_t bytes_max) {
  const uint16_t previous_id = last_id_;
  publish.packet_id = next_id();
  if (publish.packet_id == 0) return nullptr;
  publish.dup = false;
  publish.properties.topic_alias.reset();  // would mean nothing on the next connection
  std::string frame;
  if (!spare_frames_.empty()) {
    frame = std::move(spare_frames_.back());
    spare_frames_.pop_back();
  }
  if (!mqtt::encode(frame, publish, version) || frame.size() > bytes_max) {
    last_id_ = previous_id;
    return nullptr;
  }
  ++unfinished_;
  return &queue_.emplace_back(
      Outgoing{publish.packet_id, publish.qos, Outgoing::State::publish_due, false, std::move(frame)});
}

Outgoing* ClientSession::find(uint16_t id) {
  if (queue_.empty() || id == 0) return nullptr;
  if (queue_.front().id == id) return &queue_.front();  // the usual case
  const auto found = std::lower_bound(queue_.begin(), queue_.end(), distance(id),
                                      [this](const Outgoing& m, uint16_t d) { return distance(m.id) < d; });
  if (found == queue_.end() || found->id != id || found->state == Outgoing::State::done) return nullptr;
  return &*found;
}

void ClientSession::finish(Outgoing& message) {
  if (message.state == Outgoing::State::publish_sent || message.state == Outgoing::State::release_sent) {
    --on_the_way_;
  }
  message.state = Outgoing::State::done;
  --unfinished_;
  if (spare_frames_.size() < kSpareFramesMax) {
    message.frame.clear();
    spare_frames_.push_back(std::move(message.frame));
  }
  trim_front();
}

void ClientSession::trim_front() {
  while (!queue_.empty() && queue_.front().state == Outgoing::State::done) {
    queue_.pop_front();
    if (due_ > 0) --due_;
  }
}

void ClientSession::rewind() {
  for (Outgoing& message : queue_) {
    if (message.state == Outgoing::State::publish_sent) message.state = Outgoing::State::publish_due;
    if (message.state == Outgoing::State::release_sent) message.state = Outgoing::State::release_due;
  }
  due_ = 0;
  on_the_way_ = 0;
  requests_.clear();
}

std::vector<uint16_t> ClientSession::forget() {
  std::vector<uint16_t> dropped;
  for (Outgoing& message : queue_) {
    if (message.state == Outgoing::State::done || !message.was_sent) continue;
    dropped.push_back(message.id);
    message.state = Outgoing::State::done;
    --unfinished_;
  }
  trim_front();
  due_ = 0;
  inbound_.clear();
  return dropped;
}

Outgoing* ClientSession::next_due() {
  for (; due_ < queue_.size(); ++due_) {
    Outgoing& message = queue_[due_];
    if (message.state == Outgoing::State::publish_due || message.state == Outgoing::State::release_due) {
      return &message;
    }
  }
  return nullptr;
}

void ClientSession::on_sent(Outgoing& message) {
  message.state = message.state == Outgoing::State::publish_due ? Outgoing::State::publish_sent
                                                                 : Outgoing::State::release_sent;
  message.was_sent = true;
  ++on_the_way_;
  ++due_;
}

uint16_t ClientSession::begin_request() {
  const uint16_t id = next_id();
  if (id != 0) requests_.push_back(id);
  return id;
}

bool ClientSession::end_request(uint16_t id) { return std::erase(requests_, id) != 0; }

}  // namespace arena::client
