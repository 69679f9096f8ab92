// Where streams end now.
#pragma once

#include <string>

#include "base/unique_function.h"
#include "broker/types.h"

namespace arena::broker {

class Shard;

// The end, as of now, of each log that a replay of `filter` reads: what begins there misses nothing that is published from now
// on. On any core; answered there.
void stream_ends(Shard& shard, std::string filter, UniqueFunction<void(Places)> done);

}  // namespace arena::broker
