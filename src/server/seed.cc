#include "server/seed.h"

#include <sodium.h>

namespace arena::server {

uint64_t process_seed() {
  uint64_t seed = 0;
  if (sodium_init() < 0) return seed;
  randombytes_buf(&seed, sizeof seed);
  return seed;
}

}  // namespace arena::server
