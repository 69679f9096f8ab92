// Topics for those who cannot be sent to: a request that waits until there is something, and says from where the next one goes on.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "broker/gap.h"
#include "gateway/http/follower.h"
#include "runtime/loop.h"

namespace arena::gateway::http {

struct PollOrder {
  std::size_t messages_max = 100;
  int64_t wait_ms = 20'000;
};

class LongPoll final : public Follower {
 public:
  static constexpr std::size_t kMessagesMax = 1000;
  static constexpr int64_t kWaitMaxS = 60;
  static constexpr std::size_t kBytesMax = 1 << 20;  // the answer ends with the message that passes it

  LongPoll(Events& events, uint64_t id, ExchangeRef exchange, EventOrder order, EventSeat seat, const PollOrder& poll);
  void on_turn_end() override;
  // The connection has room for more than a small answer.
  void on_room();
  void go_on();

 private:
  void on_started() override;
  bool has_room() const override;
  void take(const broker::Delivery& delivery, bool first, bool kept) override;
  void on_ended() override;
  void ask_room();
  static void on_timer(void* self);

  const PollOrder poll_;
  // What it is answered with; written out when it is, so that many who wait for the same share it until then.
  struct Item {
    MessageRef message;
    std::string position;
  };
  std::vector<Item> items_;
  std::size_t bytes_ = 0;      // of them
  bool asked_room_ = false;    // of the connection, for more than a small answer
  bool has_room_ = false;      // and has it
  broker::Missing missing_;    // told as gaps
  runtime::Timer timer_;
};

}  // namespace arena::gateway::http
