// Keeps streams within the bytes that may be read of them.
#pragma once

#include "base/unique_function.h"

namespace arena::broker {

class Shard;

// On the core that declares streams: a stream that shows too many hides the oldest, whichever partition has them. 64 ages are told
// apart, within which each partition gives in proportion; what was there before a restart is taken for written evenly. What is
// hidden already, and stored for sessions only, does not count. done when all have been told; `much`: there was so much too much
// that whoever asks should ask again soon.
void keep_within_bytes(Shard& home, UniqueFunction<void(bool much)> done);

}  // namespace arena::broker
