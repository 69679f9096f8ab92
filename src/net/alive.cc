#include "net/alive.h"

namespace arena::net {

AliveMark::~AliveMark() {
  for (AliveCheck* check = last_; check != nullptr; check = check->before_) check->mark_ = nullptr;
}

AliveCheck::AliveCheck(AliveMark& mark) : mark_(&mark), before_(mark.last_) { mark.last_ = this; }

AliveCheck::~AliveCheck() {
  if (mark_ != nullptr) mark_->last_ = before_;
}

}  // namespace arena::net
