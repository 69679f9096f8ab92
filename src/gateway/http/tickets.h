// Tickets by request.
#pragma once

#include "access/tickets.h"
#include "broker/shard.h"

namespace arena::gateway::http {

class Door;

// POST /v1/tickets; and the door takes them. All outlive it.
void add_ticket_routes(Door& door, broker::Shard& shard, const access::Tickets& tickets);

}  // namespace arena::gateway::http
