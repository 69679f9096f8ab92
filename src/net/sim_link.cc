#include "net/sim_link.h"

#include <algorithm>

namespace arena::net {

void SimLink::attach(unsigned side, SimStream& stream, runtime::SimLoop& loop) {
  Side& here = sides_[side];
  here.end = End::attached;
  here.stream = &stream;
  here.loop = &loop;
  ++here.incarnation;
  here.read_asked = false;
  ask_for_read(side);
}

void SimLink::detach(unsigned side) {
  sides_[side].end = End::detached;
  sides_[side].stream = nullptr;
}

void SimLink::drop(unsigned side) {
  if (sides_[side].end == End::gone) return;
  sides_[side].end = End::gone;
  sides_[side].stream = nullptr;
  if (readable(side)) {
    reset_towards(1 - side);
  } else {
    send_end(side);
  }
}

std::size_t SimLink::room(Pipe& pipe) {
  if (net_->world.now_us() < pipe.blocked_until_us || pipe.held >= net_->faults.window_bytes) return 0;
  return net_->faults.window_bytes - pipe.held;
}

std::size_t SimLink::send(unsigned side, std::string_view bytes) {
  Pipe& pipe = pipes_[side];
  if (pipe.ended) return bytes.size();  // lost: a reset or the peer's end is under way
  const SimFaults& faults = net_->faults;
  if (net_->happens(faults.zero_window)) {
    zero_window(side, 1 + static_cast<int64_t>(net_->world.random().below(static_cast<uint64_t>(faults.zero_window_max_ms))));
  }
  const std::size_t taken = std::min(bytes.size(), room(pipe));
  if (taken < bytes.size()) {
    pipe.wants_room = true;
    if (pipe.blocked_until_us > net_->world.now_us()) {
      tell_of_room(side, pipe.blocked_until_us - net_->world.now_us());
    }
  }
  if (taken == 0) return 0;
  if (net_->happens(faults.stall)) {
    stall(side, 1 + static_cast<int64_t>(net_->world.random().below(static_cast<uint64_t>(faults.stall_max_ms))));
  }
  const bool cuts = net_->happens(faults.cut);
  const bool half_closes = !cuts && net_->happens(faults.half_close);
  const std::size_t kept = cuts || half_closes ? net_->world.random().below(taken + 1) : taken;
  send_pieces(side, bytes.substr(0, kept));
  if (cuts) cut();
  if (half_closes) half_close(side);
  return taken;
}

void SimLink::send_pieces(unsigned direction, std::string_view bytes) {
  while (!bytes.empty()) {
    std::size_t length = bytes.size();
    if (length > 1 && net_->happens(net_->faults.split)) {
      length = 1 + net_->world.random().below(length - 1);
      net_->count("split");
    }
    put(direction, Kind::data, bytes.substr(0, length));
    bytes.remove_prefix(length);
  }
}

void SimLink::send_end(unsigned side) {
  if (std::exchange(pipes_[side].ended, true)) return;
  put(side, Kind::end, {});
}

// One direction arrives in order: whatever event comes first takes the oldest segment.
void SimLink::put(unsigned direction, Kind kind, std::string_view bytes) {
  Pipe& pipe = pipes_[direction];
  pipe.held += bytes.size();
  pipe.in_flight.push_back(Segment{kind, std::string(bytes)});
  const int64_t now_us = net_->world.now_us();
  pipe.last_arrival_us = std::max(pipe.last_arrival_us, now_us + net_->random_delay_us());
  net_->world.at(pipe.last_arrival_us - now_us, [self = shared_from_this(), direction] { self->arrive(direction); });
}

void SimLink::arrive(unsigned direction) {
  Pipe& pipe = pipes_[direction];
  if (pipe.in_flight.empty()) return;  // what was under way was lost in a cut
  const int64_t stalled_us = pipe.stalled_until_us - net_->world.now_us();
  if (stalled_us > 0) {
    return net_->world.at(stalled_us, [self = shared_from_this(), direction] { self->arrive(direction); });
  }
  const unsigned side = 1 - direction;
  Segment segment = std::move(pipe.in_flight.front());
  pipe.in_flight.pop_front();
  if (sides_[side].end == End::gone) {
    pipe.held -= segment.bytes.size();
    if (segment.kind == Kind::data) reset_towards(direction);
    return;
  }
  if (segment.kind == Kind::data) pipe.arrived += segment.bytes;
  if (segment.kind == Kind::end) pipe.end_arrived = true;
  if (segment.kind == Kind::reset) pipe.reset_arrived = true;
  ask_for_read(side);
}

void SimLink::ask_for_read(unsigned side) {
  Side& here = sides_[side];
  const bool something = readable(side) || end_arrived(side) || reset_arrived(side);
  if (here.end != End::attached || here.read_asked || !something) return;
  here.read_asked = true;
  here.loop->schedule_io(0, [self = shared_from_this(), side, incarnation = here.incarnation] {
    Side& now = self->sides_[side];
    if (now.end != End::attached || now.incarnation != incarnation) return;
    now.read_asked = false;
    now.stream->on_readable();
  });
}

std::string SimLink::read(unsigned side) {
  Pipe& pipe = incoming(side);
  std::string bytes = std::exchange(pipe.arrived, {});
  if (bytes.size() > 1 && net_->happens(net_->faults.split)) {
    const std::size_t length = 1 + net_->world.random().below(bytes.size() - 1);
    pipe.arrived = bytes.substr(length);
    bytes.resize(length);
    net_->count("split");
  }
  pipe.held -= bytes.size();
  if (pipe.wants_room && !bytes.empty()) tell_of_room(1 - side, net_->random_delay_us());
  net_->world.trace(bytes);
  return bytes;
}

void SimLink::tell_of_room(unsigned direction, int64_t delay_us) {
  net_->world.at(delay_us, [self = shared_from_this(), direction] {
    Pipe& pipe = self->pipes_[direction];
    Side& sender = self->sides_[direction];
    if (sender.end != End::attached || !pipe.wants_room) return;
    const int64_t blocked_us = pipe.blocked_until_us - self->net_->world.now_us();
    if (!pipe.ended && blocked_us > 0) return self->tell_of_room(direction, blocked_us);
    if (!pipe.ended && self->room(pipe) == 0) return;  // the next read tells again
    pipe.wants_room = false;
    sender.loop->schedule_io(0, [self, direction, incarnation = sender.incarnation] {
      Side& now = self->sides_[direction];
      if (now.end == End::attached && now.incarnation == incarnation) now.stream->on_room();
    });
  });
}

// A reset follows what is under way to `side`; nothing more is taken from the other.
void SimLink::reset_towards(unsigned side) {
  Pipe& pipe = incoming(side);
  if (pipe.reset_arrived || (!pipe.in_flight.empty() && pipe.in_flight.back().kind == Kind::reset)) return;
  pipe.ended = true;
  pipes_[side].ended = true;  // what `side` still writes meets nobody
  net_->count("reset");
  put(1 - side, Kind::reset, {});
}

void SimLink::cut() {
  net_->count("cut");
  for (unsigned side = 0; side < 2; ++side) {
    // Of what is under way to this side, only some arrives.
    Pipe& pipe = incoming(side);
    while (!pipe.in_flight.empty() && net_->world.random().below(2) == 0) {
      pipe.held -= pipe.in_flight.back().bytes.size();
      pipe.in_flight.pop_back();
    }
    if (!pipe.in_flight.empty()) {
      std::string& last = pipe.in_flight.back().bytes;
      const std::size_t kept = net_->world.random().below(last.size() + 1);
      pipe.held -= last.size() - kept;
      last.resize(kept);
    }
    reset_towards(side);
  }
}

void SimLink::stall(unsigned direction, int64_t ms) {
  Pipe& pipe = pipes_[direction];
  net_->count("stall");
  pipe.stalled_until_us = std::max(pipe.stalled_until_us, net_->world.now_us() + ms * 1000);
}

void SimLink::zero_window(unsigned direction, int64_t ms) {
  net_->count("zero_window");
  Pipe& pipe = pipes_[direction];
  pipe.blocked_until_us = std::max(pipe.blocked_until_us, net_->world.now_us() + ms * 1000);
}

void SimLink::half_close(unsigned direction) {
  net_->count("half_close");
  send_end(direction);
}

}  // namespace arena::net
