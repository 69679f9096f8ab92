// Topics for those who cannot be sent to: a request that waits until there is something, and says from where the next one goes on.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

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
  void on_turn_end() override { end(); }

 private:
  void on_started() override;
  bool has_room() const override;
  void take(const broker::Delivery& delivery, bool first, bool kept) override;
  void on_ended() override;
  static void on_timer(void* self);

  const PollOrder poll_;
  std::string items_;          // JSON, with commas between
  std::size_t messages_ = 0;
  uint64_t missing_ = 0;       // told as gaps
  runtime::Timer timer_;
};

}  // namespace arena::gateway::http
