// What shall happen in one run: drawn from a seed before it begins, so that steps can be left out and the rest stays.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "broker/stream/stream.h"
#include "sim/client.h"

namespace arena::sim {

enum class Act : uint8_t {
  connect,
  publish,
  subscribe,
  await,        // that it has its answers
  unsubscribe,
  hold_acks,
  release_acks,
  hang_up,
  vanish,
  sleep,        // does nothing for a while, also not come back
  replay,       // of streams
  end_replay,
  repeat,       // a message that was published once
  crash,        // the broker
  pause_core,
  fill_store,
  slow_store,
  cut,          // some connections
  jump_clock,
  change_rules,
  create_stream,
  purge_stream,
  remove_stream,
  edit_stream,
};

struct Step {
  Act act = Act::connect;
  std::size_t client = 0;
  Dial dial;                   // of connect; and of any client that is away when it is to act: it connects instead
  bool patient = false;        // then it does so only when no CONNECT is under way
  std::string name;            // topic or filter; of change_rules: "forbid", "allow" or, empty, the other
  std::string group;
  std::string from;            // of replay: where it begins
  broker::StreamConfig stream; // of create_stream; a number is added to its name
  Guarantee guarantee = Guarantee::at_most_once;
  bool retain = false;
  bool deletes = false;
  uint32_t expiry_s = 0;
  std::size_t padding = 0;
  Once once = Once::no;
  uint64_t choice = 0;         // which core, connections or subscription; of sleep: odd: it vanishes first;
                               // of hold_acks: odd: one only; of subscribe: odd: without options; of replay: odd: a property says where it begins
  int64_t amount_ms = 0;
  int64_t wait_ms = 0;         // afterwards
};

struct Plan {
  uint64_t seed = 0;
  unsigned cores = 1;
  bool faulty_network = false;
  uint32_t mail_delay_max_us = 500;  // between cores
  std::vector<Dial> first_dials;  // by client; whoever was never told to connect does so at the end
  std::vector<Step> steps;
};

Plan make_plan(uint64_t seed);

}  // namespace arena::sim
