// One client's server-sent events.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "gateway/http/follower.h"
#include "runtime/loop.h"

namespace arena::gateway::http {

class EventStream final : public Follower {
 public:
  EventStream(Events& events, uint64_t id, ExchangeRef exchange, EventOrder order, EventSeat seat);
  void on_turn_end() override { write_id(); }

 private:
  void on_started() override;
  bool has_room() const override;
  void take(const broker::Delivery& delivery, bool first, bool kept) override;
  void on_ended() override;
  void write_event(const broker::Delivery& delivery, bool kept);
  void owe_id();
  void write_id();
  bool id_is_short() const;
  void write(const std::string& text);
  static void on_beat(void* self);

  bool id_owed_ = false;             // comes at the end of this turn
  int64_t written_ms_ = 0;
  std::optional<int64_t> took_ms_;   // when the client last had room; unset: its turn has not come
  runtime::Timer timer_;
};

}  // namespace arena::gateway::http
