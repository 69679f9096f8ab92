// For the thread that runs main(): the machine's cores, signals, and waiting. Nothing here is for loops.
#pragma once

#include <cstdint>
#include <initializer_list>

namespace arena::runtime {

unsigned machine_cores();
// As many open files as the system lets this process have, and room for the usual number of them at once. Before any
// thread starts: the kernel's table of a process with threads grows only after all processors have been seen to let go
// of the old one, and the accept() that makes it grow waits for that 10 to 30 ms, once for each doubling.
void raise_file_limit();

// Blocks the signals for this thread and all it will start. Call before anything else.
void block_signals(std::initializer_list<int> signals);
// Waits for one of the blocked signals, at most timeout_ms; 0: none came.
int wait_signal(std::initializer_list<int> signals, int64_t timeout_ms);
// The same, and 0 as soon as `descriptor` can be read (-1: none).
int wait_signal_or_input(std::initializer_list<int> signals, int descriptor, int64_t timeout_ms);

class Deadline {
 public:
  explicit Deadline(int64_t in_ms);
  bool passed() const;

 private:
  int64_t at_ns_;
};

void pause_thread_ms(int64_t ms);

}  // namespace arena::runtime
