// The requests about who is connected, sessions and subscriptions. Each on the shard's core; answered there. A session is named
// by an id that hides its namespace, user and client id, and lasts as long as they do.
#pragma once

#include "server/api/api.h"

namespace arena::server {

// A page of sessions with a connection: ?user=&client_id=&limit=&after=.
void list_clients(broker::Shard& shard, ApiCall call);
void show_client(broker::Shard& shard, ApiCall call);
// Takes the connection away; a session that outlives its connection stays.
void kick_client(broker::Shard& shard, ApiCall call);
// A page of all sessions: also ?connected=.
void list_sessions(broker::Shard& shard, ApiCall call);
void show_session(broker::Shard& shard, ApiCall call);
// Ends it, with what waits for it.
void end_session(broker::Shard& shard, ApiCall call);
// A page of subscriptions: ?session=&topic=&limit=&after=.
void list_subscriptions(broker::Shard& shard, ApiCall call);

}  // namespace arena::server
