#include "runtime/sim_loop.h"

#include <algorithm>
#include <cassert>
#include <tuple>
#include <utility>

namespace arena::runtime {
namespace {

constexpr unsigned kLanes = 3;

bool later(const SimEvent& a, const SimEvent& b) {
  return std::tie(a.time_us, a.tie, a.sequence) > std::tie(b.time_us, b.tie, b.sequence);
}

enum Mixed : uint64_t { io_event = 1, mail_event = 2, timers_fired = 3, tasks_deferred = 4 };

}  // namespace

void SimEvents::push(SimEvent event) {
  heap_.push_back(std::move(event));
  std::push_heap(heap_.begin(), heap_.end(), later);
}

SimEvent SimEvents::pop() {
  std::pop_heap(heap_.begin(), heap_.end(), later);
  SimEvent event = std::move(heap_.back());
  heap_.pop_back();
  return event;
}

SimLoop::SimLoop(SimWorld& world, unsigned core, uint64_t seed)
    : world_(world), core_(core), random_(seed), wheel_(world.now_ms()), channels_(world.loops() + kLanes) {}

unsigned SimLoop::cores() const { return world_.cores(); }
int64_t SimLoop::now_ms() const { return world_.now_ms(); }
int64_t SimLoop::wall_ms() const { return world_.wall_ms(); }

void SimLoop::arm(Timer& timer, int64_t delay_ms) {
  wheel_.arm(timer, now_ms() + std::clamp<int64_t>(delay_ms, 0, TimerWheel::kNever - now_ms()));
}

void SimLoop::post(unsigned core, Task task) {
  assert(core < world_.loops());
  const bool own = core == core_;
  const int64_t delay_us = own ? 0 : 1 + static_cast<int64_t>(world_.random_.below(world_.options_.mail_delay_max_us));
  world_.loop(core).receive(core_, delay_us, std::move(task));
}

bool SimLoop::run_blocking(Lane lane, Task work, Task done) {
  return world_.submit(lane, *this, std::move(work), std::move(done));
}

void SimLoop::receive(unsigned channel, int64_t delay_us, Task task) {
  Channel& from = channels_[channel];
  const int64_t time_us = world_.now_us() + delay_us;
  if (time_us > from.last_us) {  // else it comes together with the one before it, after it
    from.last_us = time_us;
    from.last_tie = world_.random_.next();
  }
  events_.push(SimEvent{from.last_us, from.last_tie, world_.next_sequence(), false, std::move(task)});
}

void SimLoop::schedule_io(int64_t delay_us, Task task) {
  events_.push(SimEvent{world_.now_us() + delay_us, world_.random_.next(), world_.next_sequence(), true, std::move(task)});
}

// When the next turn can begin; kNever when there is nothing to do.
int64_t SimLoop::ready_us() {
  int64_t ready = TimerWheel::kNever;
  if (!deferred_.empty() || !turn_ends_.empty()) ready = world_.now_us();
  if (!events_.empty()) ready = std::min(ready, events_.first_us());
  const int64_t deadline_ms = wheel_.next_deadline_ms();
  if (deadline_ms < TimerWheel::kNever / 1000) ready = std::min(ready, deadline_ms * 1000);
  return ready == TimerWheel::kNever ? ready : std::max({ready, busy_until_us_, world_.now_us()});
}

void SimLoop::turn() {
  std::vector<SimEvent> batch;
  while (!events_.empty() && events_.first_us() <= world_.now_us()) batch.push_back(events_.pop());
  run_events(true, batch);
  run_events(false, batch);
  batch.clear();
  const std::size_t fired = wheel_.advance(now_ms());
  if (fired != 0) world_.mix(timers_fired, core_, fired);
  run_deferred();
  const auto took_us = static_cast<int64_t>(world_.random_.below(world_.options_.turn_max_us));
  busy_until_us_ = std::max(busy_until_us_, world_.now_us() + 1 + took_us);
}

void SimLoop::run_events(bool io, std::vector<SimEvent>& batch) {
  for (SimEvent& event : batch) {
    if (event.io != io) continue;
    world_.mix(io ? io_event : mail_event, core_, event.sequence);
    event.task();
  }
}

void SimLoop::run_deferred() {
  run_deferred_tasks();
  TurnEndList hooks;
  hooks.splice_back(turn_ends_);
  while (!hooks.empty()) hooks.pop_front().on_turn_end();
  run_deferred_tasks();
}

void SimLoop::run_deferred_tasks() {
  if (deferred_.empty()) return;
  for (std::size_t i = 0; i < deferred_.size(); ++i) {
    Task task = std::move(deferred_[i]);  // it may defer more and so move the vector
    task();
  }
  world_.mix(tasks_deferred, core_, deferred_.size());
  deferred_.clear();
}

void SimLoop::drop_tasks() {
  std::vector<Task> deferred;
  deferred.swap(deferred_);
  const std::vector<SimEvent> events = events_.take_all();
}

SimWorld::SimWorld(uint64_t seed, const SimOptions& options)
    : options_(options), random_(seed), wall_offset_ms_(options.wall_start_ms - now_us_ / 1000), hash_(mix64(seed)) {
  const auto set = [this](Lane lane, std::size_t threads, std::size_t waiting_max) {
    LaneState& state = lanes_[static_cast<std::size_t>(lane)];
    state.free_us.assign(threads, 0);
    state.waiting_max = waiting_max;
  };
  set(Lane::general, 2, options.blocking.general_queue_max);
  set(Lane::password, 1, options.blocking.password_queue_max);
  set(Lane::commit, 1, options.blocking.commit_queue_max);
  loops_.resize(options.cores + options.client_loops);
  for (unsigned i = 0; i < loops_.size(); ++i) loops_[i] = std::make_unique<SimLoop>(*this, i, mix64(seed) ^ mix64(i));
}

SimWorld::~SimWorld() {
  // Dying tasks may post or defer once more; what they post last dies with the loops.
  for (int round = 0; round < 3; ++round) {
    const std::vector<SimEvent> events = events_.take_all();
    for (const auto& one : loops_) one->drop_tasks();
  }
}

void SimWorld::pause_core(unsigned index, int64_t ms) {
  SimLoop& paused = *loops_[index];
  paused.busy_until_us_ = std::max(paused.busy_until_us_, now_us_ + ms * 1000);
}

void SimWorld::pause_lane(Lane lane, int64_t ms) {
  for (int64_t& free_us : lanes_[static_cast<std::size_t>(lane)].free_us) {
    free_us = std::max(free_us, now_us_) + ms * 1000;
  }
}

void SimWorld::at(int64_t delay_us, Task task) {
  events_.push(SimEvent{now_us_ + delay_us, random_.next(), next_sequence(), false, std::move(task)});
}

bool SimWorld::submit(Lane which, SimLoop& from, Task work, Task done) {
  LaneState& lane = lanes_[static_cast<std::size_t>(which)];
  int64_t& free_us = *std::min_element(lane.free_us.begin(), lane.free_us.end());
  if (free_us > now_us_) {
    if (lane.waiting >= lane.waiting_max) return false;
    ++lane.waiting;
    at(free_us - now_us_, [&lane] { --lane.waiting; });
  }
  const int64_t start_us = std::max(free_us, now_us_);
  free_us = start_us + 1 + static_cast<int64_t>(random_.below(options_.work_delay_max_us));
  const unsigned channel = loops() + static_cast<unsigned>(which);
  at(free_us - now_us_, [&from, channel, w = std::move(work), d = std::move(done)]() mutable {
    w();
    w = nullptr;
    from.receive(channel, 1, std::move(d));
  });
  return true;
}

bool SimWorld::step() { return step_before(TimerWheel::kNever); }

// One step that begins before limit_us, if there is one.
bool SimWorld::step_before(int64_t limit_us) {
  int64_t first_us = events_.empty() ? TimerWheel::kNever : events_.first_us();
  std::vector<SimLoop*> ready;
  for (const auto& one : loops_) {
    const int64_t ready_us = one->ready_us();
    if (ready_us == TimerWheel::kNever || ready_us > first_us) continue;
    if (ready_us < first_us) ready.clear();
    first_us = ready_us;
    ready.push_back(one.get());
  }
  if (first_us >= limit_us) return false;
  now_us_ = std::max(now_us_, first_us);
  if (ready.empty() || (!events_.empty() && events_.first_us() <= now_us_)) {
    SimEvent event = events_.pop();
    mix(0, 0, event.sequence);
    event.task();
    return true;
  }
  ready[random_.below(ready.size())]->turn();
  return true;
}

bool SimWorld::run_until(UniqueFunction<bool()> done, int64_t within_ms) {
  const int64_t end_us = now_us_ + within_ms * 1000;
  while (!done()) {
    if (step_before(end_us)) continue;
    now_us_ = end_us;
    return done();
  }
  return true;
}

void SimWorld::run_for(int64_t ms) {
  run_until([] { return false; }, ms);
}

void SimWorld::trace(std::string_view text) {
  uint64_t hash = hash_;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3;
  hash_ = mix64(hash);
}

void SimWorld::mix(uint64_t kind, uint64_t core, uint64_t detail) {
  hash_ = mix64(hash_ ^ mix64(static_cast<uint64_t>(now_us_)) ^ mix64(detail << 16 | core << 8 | kind));
}

}  // namespace arena::runtime
