// The requests about named streams. Each on the shard's core; answered there.
#pragma once

#include "server/api/api.h"

namespace arena::server {

void list_streams(broker::Shard& shard, ApiCall call);
void create_stream(broker::Shard& shard, ApiCall call);
void show_stream(broker::Shard& shard, ApiCall call);
// Changes limits; what is not named stays, and 0 takes a limit away.
void edit_stream(broker::Shard& shard, ApiCall call);
void remove_stream(broker::Shard& shard, ApiCall call);
void purge_stream(broker::Shard& shard, ApiCall call);
// A page of its messages: ?from=&limit=&topic=. `next` is the `from` of the page that follows.
void list_messages(broker::Shard& shard, ApiCall call);

}  // namespace arena::server
