// The last value of a topic by request.
#pragma once

#include "gateway/http/publishers.h"

namespace arena::gateway::http {

class Door;

// GET, PUT and DELETE /v1/topics/{topic}/latest. Before the routes of topics, whose pattern fits these paths, too. Both outlive the
// handlers.
void add_latest_routes(Door& door, Publishers& publishers);

}  // namespace arena::gateway::http
