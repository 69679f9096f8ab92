#include "net/alive.h"

namespace arena::net {

AliveCheck::AliveCheck(AliveMark& mark) { mark.push_back(*this); }

}  // namespace arena::net
