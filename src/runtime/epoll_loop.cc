#include "runtime/epoll_loop.h"

#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cassert>
#include <cerrno>
#include <limits>
#include <system_error>

#include "runtime/blocking_pool.h"
#include "runtime/clock.h"
#include "runtime/mailbox.h"

namespace arena::runtime {
namespace {

constexpr std::size_t kOutboxMax = 256;      // tasks; then they go without waiting for the end of the phase
constexpr std::size_t kKeptCapacity = 4096;  // tasks
// Of what can be due for very many at once, so much is done in a turn: the rest waits behind those who have something to say.
constexpr std::size_t kTimersPerTurn = 64;
constexpr std::size_t kClosesPerTurn = 16;
constexpr uint64_t kLoopBit = 1;  // of an event's data: it is another loop, no handler
constexpr int64_t kForeverMs = std::numeric_limits<int>::max();

void forget(std::vector<Task>& tasks) {
  tasks.clear();
  if (tasks.capacity() > kKeptCapacity) std::vector<Task>().swap(tasks);
}

}  // namespace

EpollLoop::EpollLoop(unsigned core, std::span<Mailbox* const> mailboxes, BlockingPool& pool, uint64_t seed)
    : core_(core),
      mailboxes_(mailboxes.begin(), mailboxes.end()),
      pool_(pool),
      random_(mix64(seed) ^ mix64(core)),
      epoll_fd_(epoll_create1(EPOLL_CLOEXEC)),
      wheel_(monotonic_ns() / 1'000'000),
      outbox_(mailboxes.size()),
      read_buffer_(std::make_unique_for_overwrite<char[]>(kReadBufferBytes)) {
  assert(core < mailboxes.size() && mailboxes.size() <= 64);
  if (epoll_fd_ < 0) throw std::system_error(errno, std::generic_category(), "epoll_create1");
  epoll_event wake{};
  wake.events = EPOLLIN | EPOLLET;  // data stays null: nobody to call, waking up is all
  if (epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, mailbox().wake_fd(), &wake) != 0) {
    ::close(epoll_fd_);
    throw std::system_error(errno, std::generic_category(), "epoll_ctl");
  }
  refresh_clocks(monotonic_ns());
}

EpollLoop::~EpollLoop() {
  close();
  while (!to_close_.empty()) close_some();
  ::close(epoll_fd_);
}

void EpollLoop::arm(Timer& timer, int64_t delay_ms) {
  const int64_t delay = std::clamp<int64_t>(delay_ms, 0, TimerWheel::kNever - now_ms_);
  wheel_.arm(timer, now_ms_ + delay);
}

void EpollLoop::post(unsigned core, Task task) {
  assert(core < mailboxes_.size());
  if (core == core_) {
    own_mail_.push_back(std::move(task));
    return;
  }
  std::vector<Task>& out = outbox_[core];
  out.push_back(std::move(task));
  outbox_mask_ |= uint64_t{1} << core;
  if (out.size() >= kOutboxMax) hand_over();
}

void EpollLoop::hand_over() {
  while (outbox_mask_ != 0) {
    const auto core = static_cast<std::size_t>(std::countr_zero(outbox_mask_));
    outbox_mask_ &= outbox_mask_ - 1;
    mailboxes_[core]->push(outbox_[core]);
  }
}

bool EpollLoop::run_blocking(Lane lane, Task work, Task done) {
  return pool_.submit(lane, mailbox(), std::move(work), std::move(done));
}

bool EpollLoop::add(int fd, uint32_t events, IoHandler& handler) {
  epoll_event event{};
  event.events = events;
  event.data.ptr = &handler;
  return epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, fd, &event) == 0;
}

void EpollLoop::modify(int fd, uint32_t events, IoHandler& handler) {
  epoll_event event{};
  event.events = events;
  event.data.ptr = &handler;
  [[maybe_unused]] const int result = epoll_ctl(epoll_fd_, EPOLL_CTL_MOD, fd, &event);
  assert(result == 0);
}

void EpollLoop::remove(int fd, IoHandler& handler) {
  epoll_ctl(epoll_fd_, EPOLL_CTL_DEL, fd, nullptr);
  for (int i = events_next_; i < events_count_; ++i) {
    epoll_event& event = events_[static_cast<std::size_t>(i)];
    if (event.data.ptr == &handler) event.data.ptr = nullptr;
  }
}

void EpollLoop::run() {
  while (!stop_.load(std::memory_order_acquire)) turn(kForeverMs);
}

int64_t EpollLoop::turn(int64_t sleep_max_ms) {
  const bool slept = wait(sleep_max_ms);
  return run_phases(slept, monotonic_ns());
}

int64_t EpollLoop::turn_awake(int64_t now_ns) {
  if (has_events_) fetch_events(0);
  return run_phases(true, now_ns);  // since its last turn others had theirs, or all slept
}

int64_t EpollLoop::run_phases(bool slept, int64_t began_ns) {
  progress_.turn_began(began_ns, slept);
  refresh_clocks(began_ns);
  progress_.enter(Phase::io);
  dispatch_io();
  hand_over();
  progress_.enter(Phase::mail);
  run_mail();
  hand_over();
  progress_.enter(Phase::timers);
  wheel_.advance(now_ms_, kTimersPerTurn);
  hand_over();
  progress_.enter(Phase::deferred);
  run_deferred();
  hand_over();
  const int64_t ended_ns = monotonic_ns();
  progress_.turn_ended(ended_ns);
  return ended_ns;
}

void EpollLoop::refresh_clocks(int64_t now_ns) {
  now_ms_ = now_ns / 1'000'000;
  wall_ms_ = unix_ms();
}

int64_t EpollLoop::sleep_ms(int64_t sleep_max_ms, int64_t now_ns) {
  hand_over();  // what was posted outside a turn
  if (!own_mail_.empty() || !deferred_.empty() || !turn_ends_.empty() || !to_close_.empty()) return 0;
  const int64_t deadline_ms = wheel_.next_deadline_ms();
  if (deadline_ms == TimerWheel::kNever) return std::min(sleep_max_ms, kForeverMs);
  // Rounded up by at most one millisecond, so that a wake-up finds its timer due.
  const int64_t left_ms = deadline_ms - now_ns / 1'000'000;
  return std::clamp<int64_t>(left_ms, 0, std::min(sleep_max_ms, kForeverMs));
}

// Returns whether it may have slept.
bool EpollLoop::wait(int64_t sleep_max_ms) {
  int64_t timeout_ms = sleep_ms(sleep_max_ms, monotonic_ns());
  const bool sleeping = timeout_ms > 0 && mailbox().prepare_sleep();
  if (!sleeping) timeout_ms = 0;
  fetch_events(timeout_ms);
  if (sleeping) mailbox().awake();
  return sleeping;
}

void EpollLoop::fetch_events(int64_t timeout_ms) {
  const int count = epoll_wait(epoll_fd_, events_.data(), kEventsMax, static_cast<int>(timeout_ms));
  events_count_ = std::max(count, 0);  // EINTR: an empty batch
  events_next_ = 0;
  has_events_ = false;
  if (watched_ != 0) pass_on_events();
}

void EpollLoop::pass_on_events() {
  int own = 0;
  for (int i = 0; i < events_count_; ++i) {
    const epoll_event event = events_[static_cast<std::size_t>(i)];
    if ((event.data.u64 & kLoopBit) != 0) {
      reinterpret_cast<EpollLoop*>(event.data.u64 & ~kLoopBit)->has_events_ = true;
    } else {
      events_[static_cast<std::size_t>(own++)] = event;
    }
  }
  events_count_ = own;
}

void EpollLoop::watch(EpollLoop& other) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = reinterpret_cast<uint64_t>(&other) | kLoopBit;
  if (epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, other.epoll_fd_, &event) != 0) {
    throw std::system_error(errno, std::generic_category(), "epoll_ctl");
  }
  ++watched_;
}

void EpollLoop::unwatch(EpollLoop& other) {
  epoll_ctl(epoll_fd_, EPOLL_CTL_DEL, other.epoll_fd_, nullptr);
  --watched_;
}

int64_t EpollLoop::prepare_sleep(int64_t now_ns) {
  const int64_t timeout_ms = sleep_ms(kForeverMs, now_ns);
  return timeout_ms > 0 && mailbox().prepare_sleep() ? timeout_ms : 0;
}

void EpollLoop::end_sleep() { mailbox().awake(); }

bool EpollLoop::wants_turn(int64_t now_ns) {
  return events_count_ != 0 || has_events_ || mailbox().has_mail() || sleep_ms(kForeverMs, now_ns) == 0;
}

void EpollLoop::dispatch_io() {
  while (events_next_ < events_count_) {
    const epoll_event event = events_[static_cast<std::size_t>(events_next_++)];
    if (event.data.ptr != nullptr) static_cast<IoHandler*>(event.data.ptr)->on_io(event.events);
  }
  events_count_ = events_next_ = 0;
}

void EpollLoop::run_mail() {
  // What these tasks post to this core waits for the next turn, so a chatty pair cannot starve the sockets.
  mailbox().take(mail_);
  for (Task& task : mail_) task();
  forget(mail_);
  if (own_mail_.empty()) return;
  mail_.swap(own_mail_);
  for (Task& task : mail_) task();
  forget(mail_);
}

void EpollLoop::run_deferred() {
  run_deferred_tasks();
  TurnEndList hooks;
  hooks.splice_back(turn_ends_);
  while (!hooks.empty()) hooks.pop_front().on_turn_end();
  run_deferred_tasks();
  close_some();
}

void EpollLoop::close_some() {
  for (std::size_t n = 0; n < kClosesPerTurn && !to_close_.empty(); ++n) {
    ::close(to_close_.front());
    to_close_.pop_front();
  }
}

void EpollLoop::run_deferred_tasks() {
  for (std::size_t i = 0; i < deferred_.size(); ++i) {
    Task task = std::move(deferred_[i]);  // it may defer more and so move the vector
    task();
  }
  forget(deferred_);
}

void EpollLoop::close() {
  mailbox().close();
  hand_over();
  // Dying tasks may defer or post once more.
  for (int round = 0; round < 3; ++round) {
    std::vector<Task> dropped;
    dropped.swap(deferred_);
    std::vector<Task> dropped_mail;
    dropped_mail.swap(own_mail_);
    while (!owned_.empty()) delete &owned_.pop_front();
  }
}

void EpollLoop::stop() {
  stop_.store(true, std::memory_order_release);
  wake();
}

void EpollLoop::wake() { mailbox().wake(); }

void EpollLoop::post_from_outside(Task task) { mailbox().push(std::move(task)); }

unsigned EpollLoop::busy_permille() const { return progress_.busy_permille(monotonic_ns()); }

}  // namespace arena::runtime
