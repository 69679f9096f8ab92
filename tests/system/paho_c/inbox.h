// What the library's thread hands to the test's: messages, and waiting with a deadline. Also includes what
// scenarios.h needs, as that cannot.
#pragma once

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <deque>
#include <functional>
#include <iostream>
#include <mutex>
#include <set>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

extern char** environ;

struct Failed : std::runtime_error {
  using std::runtime_error::runtime_error;
};

struct Options {
  std::string id;
  bool clean = true;
  int expiry = -1;  // seconds a version 5 session outlives its connection; -1: not said
  std::string port, user, password;
  std::string will_topic, will_payload;
  int will_qos = 0;
};

struct SubscribeOptions {
  bool no_local = false;
  int retain_handling = 0;
};

struct Message {
  std::string topic, payload, content_type;
  int qos = 0, retained = 0;
};

inline std::chrono::milliseconds patience() {
  const char* slow = std::getenv("ARENA_SLOW");
  return std::chrono::milliseconds(static_cast<long>(5000 * (slow ? std::atof(slow) : 1.0)));
}

template <typename Condition>
void eventually(Condition condition, const std::string& what) {
  const auto deadline = std::chrono::steady_clock::now() + patience();
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) throw Failed("did not happen in time: " + what);
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
}

class Inbox {
 public:
  void put(Message message) {
    std::lock_guard lock(mutex_);
    messages_.push_back(std::move(message));
    filled_.notify_one();
  }
  Message take() {
    std::unique_lock lock(mutex_);
    if (!filled_.wait_for(lock, patience(), [this] { return !messages_.empty(); })) throw Failed("no message came");
    Message message = std::move(messages_.front());
    messages_.pop_front();
    return message;
  }
  std::size_t size() {
    std::lock_guard lock(mutex_);
    return messages_.size();
  }

 private:
  std::mutex mutex_;
  std::condition_variable filled_;
  std::deque<Message> messages_;
};
