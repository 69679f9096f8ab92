// Simulated cores: the whole process in one thread, in virtual time, decided by a seed.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "base/unique_function.h"
#include "runtime/blocking_pool.h"
#include "runtime/loop.h"
#include "runtime/random.h"
#include "runtime/timer_wheel.h"
#include "runtime/turn_end.h"

namespace arena::runtime {

class SimWorld;

// A task with its time. Equal times are ordered by `tie` (random, so that seeds explore orders), then by age.
struct SimEvent {
  int64_t time_us = 0;
  uint64_t tie = 0;
  uint64_t sequence = 0;
  bool io = false;
  Task task;
};

// A heap of events, earliest first.
class SimEvents {
 public:
  void push(SimEvent event);
  SimEvent pop();
  bool empty() const { return heap_.empty(); }
  int64_t first_us() const { return heap_.front().time_us; }
  std::vector<SimEvent> take_all() { return std::exchange(heap_, {}); }

 private:
  std::vector<SimEvent> heap_;
};

// One simulated core: turns with the same phases as EpollLoop's. Mail from each sender takes a random while, in
// order. May be called between turns, too, by whoever drives the world.
class SimLoop final : public Loop {
 public:
  SimLoop(SimWorld& world, unsigned core, uint64_t seed);

  unsigned core() const override { return core_; }
  unsigned cores() const override;
  int64_t now_ms() const override;
  int64_t wall_ms() const override;
  uint64_t random() override { return random_.next(); }
  void arm(Timer& timer, int64_t delay_ms) override;
  void defer(Task task) override { deferred_.push_back(std::move(task)); }
  void post(unsigned core, Task task) override;
  bool run_blocking(Lane lane, Task work, Task done) override;

  void at_turn_end(TurnEnd& hook) {
    if (!hook.linked()) turn_ends_.push_back(hook);
  }
  // For the simulated network: runs `task` in the io phase of the first turn at or after now + delay_us.
  void schedule_io(int64_t delay_us, Task task);
  SimWorld& world() { return world_; }
  // As when its process dies: what was going to happen here does not. Timers go with their owners.
  void drop_tasks();

 private:
  friend class SimWorld;
  struct Channel {  // what makes mail from one sender come in order
    int64_t last_us = 0;
    uint64_t last_tie = 0;
  };

  void receive(unsigned channel, int64_t delay_us, Task task);
  int64_t ready_us();
  void turn();
  void run_events(bool io, std::vector<SimEvent>& batch);
  void run_deferred();
  void run_deferred_tasks();

  SimWorld& world_;
  const unsigned core_;
  Random random_;
  TimerWheel wheel_;
  SimEvents events_;
  std::vector<Channel> channels_;  // per sending loop, then per lane
  std::vector<Task> deferred_;
  TurnEndList turn_ends_;
  int64_t busy_until_us_ = 0;
};

struct SimOptions {
  unsigned cores = 2;
  unsigned client_loops = 1;  // loops beside the cores, for simulated clients; their core() is cores, cores + 1, ...
  uint32_t mail_delay_max_us = 500;
  uint32_t work_delay_max_us = 5000;
  uint32_t turn_max_us = 200;  // how long a turn keeps its core busy
  BlockingPoolOptions blocking{};
  int64_t wall_start_ms = 1'750'000'000'000;
};

// Owns the simulated loops and decides, from the seed alone, what happens next. The same seed and the same calls
// give the same trace hash, on every machine: nothing depends on addresses or real time.
class SimWorld {
 public:
  explicit SimWorld(uint64_t seed, const SimOptions& options = {});
  ~SimWorld();
  SimWorld(const SimWorld&) = delete;
  SimWorld& operator=(const SimWorld&) = delete;

  SimLoop& loop(unsigned index) { return *loops_[index]; }
  SimLoop& client_loop(unsigned index = 0) { return *loops_[options_.cores + index]; }
  unsigned cores() const { return options_.cores; }
  unsigned loops() const { return static_cast<unsigned>(loops_.size()); }
  int64_t now_us() const { return now_us_; }
  int64_t now_ms() const { return now_us_ / 1000; }
  int64_t wall_ms() const { return now_ms() + wall_offset_ms_; }
  Random& random() { return random_; }  // for scripts and simulated devices

  // The wall clock is set, forwards or backwards; monotonic time goes on.
  void jump_wall(int64_t delta_ms) { wall_offset_ms_ += delta_ms; }
  // The core does nothing for so long, as when its machine is busy elsewhere.
  void pause_core(unsigned index, int64_t ms);
  // Work that starts from now on waits so long, as on a slow disk.
  void pause_lane(Lane lane, int64_t ms);
  // Runs `task` outside every loop, after delay_us.
  void at(int64_t delay_us, Task task);

  // The next turn of a loop, or the next task of at(). False when nothing is left to happen.
  bool step();
  // Steps until `done()` is true (then true) or `within_ms` of virtual time have passed (then false).
  bool run_until(UniqueFunction<bool()> done, int64_t within_ms);
  void run_for(int64_t ms);

  // Mixes `text` into the running hash; every event is mixed in without being asked.
  void trace(std::string_view text);
  uint64_t trace_hash() const { return hash_; }

 private:
  friend class SimLoop;
  struct LaneState {
    std::vector<int64_t> free_us;  // per thread: when it has finished what it was given
    std::size_t waiting = 0;
    std::size_t waiting_max = 0;
  };

  bool submit(Lane lane, SimLoop& from, Task work, Task done);
  bool step_before(int64_t limit_us);
  void mix(uint64_t kind, uint64_t core, uint64_t detail);
  uint64_t next_sequence() { return ++sequence_; }

  SimOptions options_;
  Random random_;
  int64_t now_us_ = 1'000'000'000;
  int64_t wall_offset_ms_;
  uint64_t hash_ = 0;
  uint64_t sequence_ = 0;
  std::array<LaneState, 3> lanes_;
  SimEvents events_;
  std::vector<std::unique_ptr<SimLoop>> loops_;
};

}  // namespace arena::runtime
