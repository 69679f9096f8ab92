#include "runtime/threads.h"

#include <pthread.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>
#include <string>

namespace arena::runtime {

SignalsBlocked::SignalsBlocked() {
  sigset_t blocked;
  sigfillset(&blocked);
  for (const int open : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS, SIGPROF}) sigdelset(&blocked, open);
  pthread_sigmask(SIG_BLOCK, &blocked, &before_);
}

SignalsBlocked::~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

void name_this_thread(const char* name) { pthread_setname_np(pthread_self(), std::string(name, 0, 15).c_str()); }

void put_this_thread_behind_others() {
  constexpr int kNice = 10;
  constexpr uint64_t kSliceNs = 100'000;
  struct {  // sched_attr, which the C library does not declare yet
    uint32_t size, sched_policy;
    uint64_t sched_flags;
    int32_t sched_nice;
    uint32_t sched_priority;
    uint64_t sched_runtime, sched_deadline, sched_period;
  } wanted{};
  wanted.size = sizeof wanted;
  wanted.sched_policy = SCHED_OTHER;
  wanted.sched_nice = kNice;
  wanted.sched_runtime = kSliceNs;  // since Linux 6.12: who wakes up behind it waits no longer than this, instead of up to 3 ms
  if (syscall(SYS_sched_setattr, 0, &wanted, 0) != 0) setpriority(PRIO_PROCESS, static_cast<id_t>(gettid()), kNice);
}

}  // namespace arena::runtime
