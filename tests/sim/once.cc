#include "sim/once.h"

#include "sim/oracle.h"
#include "sim/properties.h"

namespace arena::sim {
namespace {

constexpr uint64_t kPlacesOfAProducer = 16;  // broker/published.h
constexpr uint64_t kContentsOfAProducer = 8;  // ... less what may be on its way

std::string text(engine::LogName log, uint64_t offset) {
  return "0." + std::to_string(static_cast<uint32_t>(log.log)) + "." + std::to_string(log.partition) + "." + std::to_string(offset);
}

}  // namespace

OnceMark OnceJudge::next_of_producer(const std::string& publisher, const std::string& topic, bool begins_again) {
  Producer& producer = producers_[{publisher, topic}];
  if (begins_again) {
    ++producer.epoch;
    producer.last = 0;
  }
  OnceMark mark;
  mark.producer = true;
  mark.epoch = producer.epoch;
  mark.sequence = ++producer.last;
  mark.value = publisher + ":" + std::to_string(mark.epoch) + ":" + std::to_string(mark.sequence);
  return mark;
}

void OnceJudge::published(std::size_t index, const std::string& publisher, const std::string& topic, const OnceMark& mark) {
  known_[index] = Known{publisher, topic, mark, {}, {}};
}

const OnceMark* OnceJudge::mark_of(std::size_t index) const {
  const auto at = known_.find(index);
  return at == known_.end() ? nullptr : &at->second.mark;
}

bool OnceJudge::is_stored(std::size_t index) const {
  const auto at = known_.find(index);
  return at != known_.end() && !at->second.position.empty();
}

bool OnceJudge::must_be_known(std::size_t index) const {
  if (!is_stored(index)) return false;
  const Known& known = known_.at(index);
  if (!known.mark.producer) return true;
  const Producer& producer = producers_.at({known.publisher, known.topic});
  return known.mark.epoch == producer.epoch && producer.last < known.mark.sequence + kContentsOfAProducer;
}

void OnceJudge::taken(std::size_t index, std::string_view position, bool duplicate, bool again) {
  Known& known = known_.at(index);
  const std::string what = "m" + std::to_string(index) + ", published once as " + known.mark.value + ",";
  if (known.was_refused && duplicate) fail_(what + " was refused, and is called a repetition");
  if (position.empty()) {
    const Producer* producer = known.mark.producer ? &producers_.at({known.publisher, known.topic}) : nullptr;
    const bool old = producer != nullptr && (producer->last >= known.mark.sequence + kPlacesOfAProducer || producer->epoch != known.mark.epoch);
    if (!known.position.empty() && !again && !old) fail_(what + " was not told the place " + known.position + " when it was repeated");
    return;
  }
  if (!known.position.empty() && known.position != position) {
    fail_(what + " was told the place " + std::string(position) + ", and before that " + known.position);
  }
  if (!known.position.empty() && !duplicate) fail_(what + " was taken for new when it was repeated");
  if (known.place && text(known.place->first, known.place->second) != position) {
    fail_(what + " was told the place " + std::string(position) + ", and lies at " + text(known.place->first, known.place->second));
  }
  known.position = position;
  if (known.mark.producer) producers_[{known.publisher, known.topic}].stored.insert(known.mark.epoch);
}

void OnceJudge::unknown(std::size_t index) {
  const Known& known = known_.at(index);
  Producer& producer = producers_.at({known.publisher, known.topic});
  if (known.mark.epoch != producer.epoch) return;  // it has begun again already
  if (producer.stored.contains(known.mark.epoch)) fail_("the producer of m" + std::to_string(index) + " is not known any more");
  ++producer.epoch;
  producer.last = 0;
}

const OnceJudge::Place* OnceJudge::place_of(std::size_t index) const {
  const auto at = places_.find(index);
  return at == places_.end() ? nullptr : &at->second;
}

uint64_t OnceJudge::told(engine::LogName log) const {
  const auto at = told_.find(log);
  return at == told_.end() ? 0 : at->second;
}

void OnceJudge::note_stored(engine::LogName log, const std::vector<engine::Record>& records, uint64_t end) {
  for (const engine::Record& record : records) {
    const std::size_t index = Oracle::index_of(name_of(*record.message));
    places_.try_emplace(index, log, record.offset);
    const auto known = known_.find(index);
    if (known == known_.end()) continue;
    std::optional<Place>& place = known->second.place;
    const std::string what = "m" + std::to_string(known->first) + ", published once as " + known->second.mark.value + ",";
    if (place) fail_(what + " is stored at " + text(place->first, place->second) + " and at " + text(log, record.offset));
    if (!place && !known->second.position.empty() && known->second.position != text(log, record.offset)) {
      fail_(what + " lies at " + text(log, record.offset) + ", and was told " + known->second.position);
    }
    if (!place) place = Place(log, record.offset);
  }
  told_[log] = std::max(told(log), end);
}

}  // namespace arena::sim
