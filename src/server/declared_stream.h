// A stream that the configuration wants to exist.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_function.h"
#include "broker/stream/stream.h"

namespace arena::broker {
class Shard;
}

namespace arena::server {

struct DeclaredStream {
  broker::StreamConfig config;
  std::string source;          // where it is declared: "arena.toml:3"
  std::string filters_source;  // and its filters
};

// May `one` stand beside `others`? Else the reason.
Status admits(const std::vector<DeclaredStream>& others, const DeclaredStream& one);

// On the shard's core. Creates the stream, or gives it the limits that are declared; refuses other filters, and topics of
// another stream, naming where that is declared. `done` is called on some core.
void declare(broker::Shard& shard, DeclaredStream declared, UniqueFunction<void(Status)> done);

}  // namespace arena::server
