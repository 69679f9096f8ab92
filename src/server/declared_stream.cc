#include "server/declared_stream.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <utility>

#include "broker/shard.h"

namespace arena::server {

using broker::Stream;

namespace {

std::vector<std::string> sorted(std::vector<std::string> filters) {
  std::sort(filters.begin(), filters.end());
  return filters;
}

}  // namespace

Status admits(const std::vector<DeclaredStream>& others, const DeclaredStream& one) {
  std::vector<Stream> streams;
  for (const DeclaredStream& other : others) {
    streams.emplace_back();
    streams.back().config = other.config;
  }
  return broker::StreamTable(std::move(streams)).admits(one.config);
}

void declare(broker::Shard& shard, DeclaredStream declared, UniqueFunction<void(Status)> done) {
  const Stream* known = shard.streams().find(declared.config.name);
  if (known == nullptr) {
    if (Status admitted = shard.streams().admits(declared.config); !admitted) {
      return done(fail_with(fmt::format("{}: streams.filters: {}", declared.filters_source, admitted.error().reason)));
    }
  } else if (sorted(known->config.filters) != sorted(declared.config.filters)) {
    return done(fail_with(fmt::format(
        "{}: streams.filters: the stream \"{}\" keeps \"{}\", and what a stream keeps cannot be changed: give this one another "
        "name, or remove that one (arena stream rm)",
        declared.filters_source, declared.config.name, fmt::join(known->config.filters, "\", \""))));
  } else {
    declared.config.filters = known->config.filters;
    if (known->config == declared.config) return done(Unit{});
  }
  auto act = known == nullptr ? &broker::StreamRegistry::create : &broker::StreamRegistry::edit;
  shard.with_streams([act, declared = std::move(declared), done = std::move(done)](broker::StreamRegistry& registry) mutable {
    (registry.*act)(declared.config, [source = declared.source, done = std::move(done)](Result<Stream> result) mutable {
      done(result ? Status(Unit{}) : Status(fail_with(fmt::format("{}: streams: {}", source, result.error().reason))));
    });
  });
}

}  // namespace arena::server
