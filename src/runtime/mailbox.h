// The one door into a loop from other threads.
#pragma once

#include <mutex>
#include <vector>

#include "base/unique_function.h"

namespace arena::runtime {

// Any thread pushes; the loop that owns it takes everything at once. First in, first out per pusher. Unbounded:
// credit is taken where a publish is admitted. Outlives every loop and pool that may push.
//
// Only a sleeping owner is woken with a system call. The flag is read and written under the same lock as the
// mail, so that "no mail, going to sleep" and "mail put, owner awake" cannot pass each other.
class Mailbox {
 public:
  Mailbox();
  ~Mailbox();
  Mailbox(const Mailbox&) = delete;
  Mailbox& operator=(const Mailbox&) = delete;

  // Any thread. After close() the tasks are destroyed by the caller instead.
  void push(Task task);
  // Moves all tasks of `batch`; it is empty afterwards and keeps its room.
  void push(std::vector<Task>& batch);
  // Ends the owner's sleep, or its next one.
  void wake();

  // The owner only from here. Swaps the mail into `out`, which must be empty.
  void take(std::vector<Task>& out);
  // False when there is mail or a wake-up: do not sleep. After true, wake_fd() becomes readable for the next push,
  // until awake() is called.
  bool prepare_sleep();
  void awake();
  bool has_mail();
  int wake_fd() const { return wake_fd_; }  // to be watched edge-triggered, so that it need never be read
  // Destroys what is left; nothing is kept from now on.
  void close();

 private:
  void ring();

  int wake_fd_;
  std::mutex mutex_;
  std::vector<Task> mail_;
  bool sleeping_ = false;
  bool wake_asked_ = false;
  bool closed_ = false;
};

}  // namespace arena::runtime
