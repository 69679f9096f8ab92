// Things that loops know by intrusive links, so that no turn allocates for them.
#pragma once

#include "base/intrusive_list.h"

namespace arena::runtime {

struct TurnEndTag;
// Something to be done once at the end of a turn, after all deferred tasks: streams flush here. Dying takes it off
// the list. Put on again from inside on_turn_end(), it runs in the next turn, which then comes without sleeping.
class TurnEnd : public ListNode<TurnEndTag> {
 public:
  virtual ~TurnEnd() = default;
  virtual void on_turn_end() = 0;
};
using TurnEndList = IntrusiveList<TurnEnd, TurnEndTag>;

struct LoopOwnedTag;
// Something that ends itself (`delete this`) when its work is done, such as an attempt to connect. What is left
// when the loop closes is deleted by the loop.
class LoopOwned : public ListNode<LoopOwnedTag> {
 public:
  virtual ~LoopOwned() = default;
};
using LoopOwnedList = IntrusiveList<LoopOwned, LoopOwnedTag>;

}  // namespace arena::runtime
