// For objects whose callbacks may destroy them: knowing afterwards.
#pragma once

namespace arena::net {

class AliveCheck;

// A member of the object that may be destroyed. Checks are on the stack, so the last one to come is the first to go.
class AliveMark {
 public:
  AliveMark() = default;
  AliveMark(const AliveMark&) = delete;
  AliveMark& operator=(const AliveMark&) = delete;
  ~AliveMark();

 private:
  friend class AliveCheck;
  AliveCheck* last_ = nullptr;
};

// On the stack around a callback: `alive()` is false once the object with the mark is gone.
class AliveCheck {
 public:
  explicit AliveCheck(AliveMark& mark);
  AliveCheck(const AliveCheck&) = delete;
  AliveCheck& operator=(const AliveCheck&) = delete;
  ~AliveCheck();
  bool alive() const { return mark_ != nullptr; }

 private:
  friend class AliveMark;
  AliveMark* mark_;
  AliveCheck* before_;
};

}  // namespace arena::net
