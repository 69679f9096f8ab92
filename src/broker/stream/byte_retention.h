// Keeps streams within the bytes that may be read of them.
#pragma once

#include "base/unique_function.h"

namespace arena::broker {

class Shard;

// On the core that declares streams: each partition of a stream that has too many hides of its oldest, in proportion to what it
// shows. What is hidden already, and stored for sessions only, does not count. done when all have been told; `much`: there was
// so much too much that whoever asks should ask again soon.
void keep_within_bytes(Shard& home, UniqueFunction<void(bool much)> done);

}  // namespace arena::broker
