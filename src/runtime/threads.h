// What every thread of the process has in common.
#pragma once

#include <csignal>

namespace arena::runtime {

// While alive, threads that are made inherit a mask in which SIGTERM, SIGINT, SIGHUP and all other asynchronous
// signals are blocked: the main thread alone handles them. Faults and SIGPROF stay open.
class SignalsBlocked {
 public:
  SignalsBlocked();
  ~SignalsBlocked();
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;

 private:
  sigset_t before_;
};

// Names the calling thread for `top` and debuggers; at most 15 bytes are kept.
void name_this_thread(const char* name);
// The calling thread gives way to all others of the machine.
void put_this_thread_behind_others();

}  // namespace arena::runtime
