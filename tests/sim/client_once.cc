// A device that publishes under ids and as a producer: whatever had no answer it publishes again, over lost sessions too.
#include <algorithm>

#include "sim/client.h"

namespace arena::sim {
namespace am = arena::mqtt;

// How a message to that topic is to be known.
std::optional<OnceMark> Client::mark_for(Once once, const std::string& topic) {
  if (once == Once::no || dial_.version != am::Version::v5) return std::nullopt;
  if (once == Once::producer) {
    tally_["publish by a producer"]++;
    const bool begins_again = dice() % 10 == 0;  // although its numbers are known: a device that has lost its memory
    if (begins_again) tally_["epoch raised"]++;
    return oracle_.once().next_of_producer(name_, topic, begins_again);
  }
  tally_["publish under an id"]++;
  OnceMark mark;
  mark.value = name_ + "-" + std::to_string(oracle_.messages());
  return mark;
}

// Those without an answer are published again on the next connection, as new handshakes.
void Client::keep_for_later() {
  for (const Outbound& out : outbound_) {
    if (oracle_.once().mark_of(out.message) != nullptr && !out.received && !out.forged) later_.push_back(out.message);
  }
}

void Client::publish_later_ones() {
  for (const std::size_t message : std::exchange(later_, {})) {
    const auto same = [&](const Outbound& out) { return out.message == message; };
    if (std::none_of(outbound_.begin(), outbound_.end(), same)) publish_again(message, false);
    tally_["publish again after its session"]++;
  }
}

void Client::publish_again(std::size_t message, bool forged) {
  oracle_.once().sent_again(message);
  Outbound out;
  out.id = next_id();
  out.message = message;
  out.forged = forged;
  if (!forged) oracle_.message(message).resent = true;
  outbound_.push_back(out);
  send_publish(out, false);
}

// Some of a producer's messages come behind later ones. The first of all may not.
bool Client::leaves_out(const OnceMark& mark) {
  if (!mark.producer || mark.sequence == 1 || dice() % 6 != 0) return false;
  const std::size_t message = oracle_.messages() - 1;
  oracle_.message(message).refused = true;
  refused_.push_back(message);
  tally_["number left out"]++;
  return true;
}

// The rules may have changed meanwhile; numbers behind it may have been taken.
std::string Client::repeat_refused(uint64_t choice) {
  const auto at = refused_.begin() + static_cast<std::ptrdiff_t>(choice % refused_.size());
  const std::size_t message = *at;
  refused_.erase(at);
  oracle_.message(message).refused = false;
  oracle_.message(message).late = true;
  publish_again(message, false);
  oracle_.once().comes_late(message);
  tally_["publish refused once, and again"]++;
  return "m" + std::to_string(message) + ", which was refused";
}

// What was answered comes once more, as it was or, forged, with something else in it.
std::string Client::repeat(uint64_t choice) {
  if (!connected() || dial_.version != am::Version::v5 || outbound_.size() + later_.size() >= 20) return "nothing";
  if (choice % 5 < 2 && !refused_.empty()) return repeat_refused(choice >> 8);
  if (answered_.empty()) return "nothing";
  const bool forged = choice % 4 == 0;
  const std::size_t recent = std::min<std::size_t>(answered_.size(), choice % 3 == 0 ? answered_.size() : 4);
  const std::size_t message = answered_[answered_.size() - 1 - (choice >> 8) % recent];
  const auto same = [&](const Outbound& out) { return out.message == message; };
  if (std::any_of(outbound_.begin(), outbound_.end(), same)) return "nothing";
  if (forged && !oracle_.once().must_be_known(message)) return "nothing";
  publish_again(message, forged);
  tally_[forged ? "publish forged" : "publish repeated"]++;
  return (forged ? "something else than m" : "m") + std::to_string(message);
}

// At least once, so that nothing is left of it when its connection breaks.
Guarantee Client::guarantee_of(const Outbound& out) const {
  return out.forged ? Guarantee::at_least_once : oracle_.message(out.message).guarantee;
}

// True: that is all about it.
bool Client::on_once_answer(const am::Ack& packet, std::deque<Outbound>::iterator at) {
  OnceJudge& once = oracle_.once();
  if (once.mark_of(at->message) == nullptr) return false;
  const std::string_view why = packet.properties.reason_string.value_or("");
  if (at->forged) {
    const bool ruled = packet.reason == am::Reason::not_authorized;
    if (!ruled && !why.starts_with("conflict")) {
      oracle_.fail(name_ + " published something else than m" + std::to_string(at->message) + " under its name, and was told '" +
                   std::string(am::to_string(packet.reason)) + "'");
    }
    outbound_.erase(at);
    return true;
  }
  if (why.starts_with("unknown-producer")) {
    tally_["producer began again"]++;
    once.unknown(at->message);
    Published& message = oracle_.message(at->message);
    message.refused = message.refused || !message.resent;
    outbound_.erase(at);
    return true;
  }
  if (am::is_error(packet.reason)) return false;
  bool duplicate = false;
  for (const am::UserProperty& property : packet.properties.user_properties) duplicate = duplicate || property.name == "arena-duplicate";
  tally_["called a repetition"] += duplicate ? 1 : 0;
  const bool goes_on = at->resent && guarantee_of(*at) == Guarantee::exactly_once;
  once.taken(at->message, position_of(packet), duplicate, goes_on);
  const bool stored = once.is_stored(at->message) && !oracle_.message(at->message).retain;
  if (stored && (answered_.empty() || answered_.back() < at->message)) answered_.push_back(at->message);
  return false;
}

}  // namespace arena::sim
