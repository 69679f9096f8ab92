// For objects whose callbacks may destroy them: knowing afterwards.
#pragma once

#include "base/intrusive_list.h"

namespace arena::net {

struct AliveTag;
class AliveCheck;

// A member of the object that may be destroyed.
using AliveMark = IntrusiveList<AliveCheck, AliveTag>;

// On the stack around a callback: `alive()` is false once the object with the mark is gone.
class AliveCheck : public ListNode<AliveTag> {
 public:
  explicit AliveCheck(AliveMark& mark);  // not inline: g++ 12 would warn of a dangling pointer that is unlinked
  bool alive() const { return linked(); }
};

}  // namespace arena::net
