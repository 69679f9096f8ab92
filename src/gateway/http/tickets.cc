#include "gateway/http/tickets.h"

#include <fmt/format.h>

#include "gateway/http/door.h"
#include "gateway/http/publish.h"

namespace arena::gateway::http {
namespace {

constexpr std::string_view kPurpose = "events";

}  // namespace

void add_ticket_routes(Door& door, broker::Shard& shard, const access::Tickets& tickets) {
  door.set_redeem([&shard, &tickets](std::string_view ticket) { return tickets.redeem(ticket, kPurpose, shard.policy().epoch(), shard.loop().wall_ms()); });
  door.router().add({"POST", "/v1/tickets", Access::identified, [&shard, &tickets](const ExchangeRef& exchange) {
                       if (!exchange->request.body.empty() || !exchange->request.query.empty()) {
                         return answer_fault(exchange, {400, "bad_body", "a ticket is asked for without a word", {}});
                       }
                       const std::string ticket = tickets.issue(kPurpose, exchange->principal, shard.policy().epoch(), shard.loop().wall_ms());
                       exchange->answer(json_response(201, fmt::format("{{\"ticket\":\"{}\",\"expires_s\":{}}}", ticket, access::Tickets::kLifeMs / 1000)));
                     }});
}

}  // namespace arena::gateway::http
