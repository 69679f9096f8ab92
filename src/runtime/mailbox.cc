#include "runtime/mailbox.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <iterator>
#include <system_error>

namespace arena::runtime {
namespace {

constexpr std::size_t kKeptCapacity = 4096;  // tasks; a burst's room is given back

}  // namespace

Mailbox::Mailbox() : wake_fd_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  if (wake_fd_ < 0) throw std::system_error(errno, std::generic_category(), "eventfd");
}

Mailbox::~Mailbox() { ::close(wake_fd_); }

void Mailbox::ring() {
  const uint64_t one = 1;
  [[maybe_unused]] const ssize_t n = ::write(wake_fd_, &one, sizeof one);  // EAGAIN: it is ringing already
}

void Mailbox::push(Task task) {
  bool must_ring = false;
  {
    const std::lock_guard lock(mutex_);
    if (closed_) return;  // the parameter dies after the lock is released
    mail_.push_back(std::move(task));
    must_ring = std::exchange(sleeping_, false);
  }
  if (must_ring) ring();
}

void Mailbox::push(std::vector<Task>& batch) {
  if (batch.empty()) return;
  bool must_ring = false;
  {
    const std::lock_guard lock(mutex_);
    if (!closed_) {
      if (mail_.empty()) {
        mail_.swap(batch);
      } else {
        mail_.insert(mail_.end(), std::move_iterator(batch.begin()), std::move_iterator(batch.end()));
      }
      must_ring = std::exchange(sleeping_, false);
    }
  }
  if (must_ring) ring();
  batch.clear();
}

void Mailbox::wake() {
  bool must_ring = false;
  {
    const std::lock_guard lock(mutex_);
    wake_asked_ = true;
    must_ring = std::exchange(sleeping_, false);
  }
  if (must_ring) ring();
}

void Mailbox::take(std::vector<Task>& out) {
  if (out.capacity() > kKeptCapacity) std::vector<Task>().swap(out);
  const std::lock_guard lock(mutex_);
  mail_.swap(out);
}

bool Mailbox::prepare_sleep() {
  const std::lock_guard lock(mutex_);
  if (std::exchange(wake_asked_, false) || !mail_.empty()) return false;
  sleeping_ = true;
  return true;
}

void Mailbox::awake() {
  const std::lock_guard lock(mutex_);
  sleeping_ = false;
  wake_asked_ = false;
}

bool Mailbox::has_mail() {
  const std::lock_guard lock(mutex_);
  return !mail_.empty();
}

void Mailbox::close() {
  std::vector<Task> dropped;
  const std::lock_guard lock(mutex_);  // released before `dropped` dies: a dying task may push
  closed_ = true;
  mail_.swap(dropped);
}

}  // namespace arena::runtime
