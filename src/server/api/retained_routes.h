// The requests about last values. Each on the shard's core; answered there.
#pragma once

#include "server/api/api.h"

namespace arena::server {

// A page of them, by the order of their topics: ?topic=&limit=&after=.
void list_retained(broker::Shard& shard, ApiCall call);

}  // namespace arena::server
