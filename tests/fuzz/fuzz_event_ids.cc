// Ids of server-sent events, as clients bring them back. The first byte says of how many filters. Promises: what is taken for an id is
// written and read back as the same; of another number of filters it is none.
#include <cstdint>
#include <string>

#include "check.h"
#include "gateway/http/event_id.h"
#include "input.h"

using namespace arena;
using namespace arena::gateway::http;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  const std::size_t filters = 1 + input.below(8);
  const std::string text = input.rest();
  const auto parsed = parse_event_id(text, filters);
  if (!parsed) return 0;
  FUZZ_CHECK(parsed->size() == filters);
  FUZZ_CHECK(!parse_event_id(text, filters + 1) && (filters == 1 || !parse_event_id(text, filters - 1)));
  const std::string written = event_id(*parsed);
  const auto again = parse_event_id(written, filters);
  FUZZ_CHECK(again && event_id(*again) == written);
  for (const Reached& reached : *parsed) {
    for (const auto& [log, offset] : reached.places()) {
      Reached later = reached;
      later.note(log, offset);
      FUZZ_CHECK(later.places() == reached.places());
    }
  }
  return 0;
}
