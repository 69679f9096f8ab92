// How far retention has hidden a log, as it is stored while a session holds back what is hidden: a restart shows none of it again.
#pragma once

#include <cstdint>

#include "broker/types.h"

namespace arena::broker {

class Shard;

engine::Operation store_hidden(LogId log, uint64_t below);
engine::Operation forget_hidden(LogId log);
// Recovery, when the streams are known: of all logs of this core.
void restore_hidden(Shard& shard);
// Is it such a row, and not a stream's own?
bool is_hidden_row(const engine::KeyValue& entry);

}  // namespace arena::broker
