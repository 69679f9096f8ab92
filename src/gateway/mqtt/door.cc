#include "gateway/mqtt/door.h"

#include <utility>

#include "gateway/mqtt/connection.h"

namespace arena::gateway::mqtt {

std::size_t ConnectionById::operator()(const std::unique_ptr<Connection>& connection) const {
  return static_cast<std::size_t>(connection->id());
}

bool ConnectionById::operator()(uint64_t id, const std::unique_ptr<Connection>& connection) const {
  return id == connection->id();
}

Door::Door(runtime::Loop& loop, broker::Shard& shard, access::Authenticator& authenticator, net::StreamFactory& factory,
           const std::shared_ptr<const Options>& options, Admission& admission, Counters& counters)
    : loop_(loop),
      shard_(shard),
      authenticator_(authenticator),
      factory_(factory),
      options_(new SharedOptions(*options)),
      admission_(admission),
      counters_(counters) {}

Door::~Door() = default;

void Door::accept(std::unique_ptr<net::Stream> stream) {
  Result<Seat, Refused> seat = shut_ ? fail(Refused::shut) : admit(stream->peer().ip());
  if (!seat) {
    counters_.refuse(seat.error());
    stream->abort();
    return;
  }
  counters_.accepted.add();
  add(std::move(stream), std::move(*seat));
}

void Door::accept(std::unique_ptr<net::Stream> stream, Seat seat) {
  if (shut_ || !make_half_open(seat)) {
    counters_.refuse(shut_ ? Refused::shut : Refused::half_open);
    stream->abort();
    return;
  }
  counters_.accepted.add();
  add(std::move(stream), std::move(seat));
}

bool Door::make_half_open(Seat& seat) {
  if (seat.be_half_open(*options_)) return true;
  if (silent_.empty()) return false;
  counters_.refuse(Refused::half_open);
  silent_.front().connection.give_way();
  return seat.be_half_open(*options_);
}

// A flood of silent connections must not keep others out: with all half-open places taken, the oldest here goes.
Result<Seat, Refused> Door::admit(std::string_view ip) {
  Result<Seat, access::NoSeat> seat = admission_.admit(ip, *options_, loop_.now_ms());
  if (!seat && seat.error() == access::NoSeat::half_open && !silent_.empty()) {
    counters_.refuse(Refused::half_open);
    silent_.front().connection.give_way();
    seat = admission_.admit(ip, *options_, loop_.now_ms());
  }
  if (!seat) return fail(refused_for(seat.error()));
  return std::move(seat).value();
}

void Door::shut() {
  shut_ = true;
  std::vector<uint64_t> ids;
  for (const auto& connection : connections_) ids.push_back(connection->id());
  for (const uint64_t id : ids) {
    if (Connection* connection = find(id)) connection->close_unless_open();
  }
}

Connection& Door::add(std::unique_ptr<net::Stream> stream, Seat seat) {
  const uint64_t id = next_id_++;
  auto connection = std::make_unique<Connection>(*this, id, std::move(stream), std::move(seat));
  Connection& added = *connection;
  connections_.insert(std::move(connection));
  silent_.push_back(added.be_silent());
  counters_.connections.add();
  return added;
}

Connection* Door::find(uint64_t id) {
  const auto it = connections_.find(id);
  return it == connections_.end() ? nullptr : it->get();
}

void Door::bury(Connection& connection) {
  const auto it = connections_.find(connection.id());
  if (it == connections_.end()) return;
  // Elements of a set cannot be moved out; this one is erased next, by its place.
  dead_.push_back(std::move(const_cast<std::unique_ptr<Connection>&>(*it)));
  connections_.erase(it);
  counters_.connections.sub();
  if (dead_.size() == 1) {
    loop_.defer([this] { dead_.clear(); });
  }
}

void Door::hand_over(unsigned core, std::unique_ptr<net::DetachedStream> stream, std::unique_ptr<PendingConnect> pending,
                     std::string rest) {
  loop_.post(core, [there = doors_[core], stream = std::move(stream), pending = std::move(pending),
                    rest = std::move(rest)]() mutable {
    there->adopt(std::move(stream), std::move(pending), std::move(rest));
  });
}

void Door::adopt(std::unique_ptr<net::DetachedStream> detached, std::unique_ptr<PendingConnect> pending, std::string rest) {
  std::unique_ptr<net::Stream> stream = shut_ ? nullptr : factory_.attach(std::move(detached));
  if (stream == nullptr) return;
  add(std::move(stream), std::move(pending->seat)).resume_handshake(std::move(pending), std::move(rest));
}

}  // namespace arena::gateway::mqtt
