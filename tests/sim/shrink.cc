#include "sim/shrink.h"

#include <algorithm>
#include <cctype>
#include <utility>

namespace arena::sim {
namespace {

// Numbers are not the failure: the same thing may befall another message or client.
std::string kind_of(std::string failure) {
  std::erase_if(failure, [](char c) { return std::isdigit(static_cast<unsigned char>(c)) != 0; });
  return failure;
}

class Shrinker {
 public:
  Shrinker(Plan plan, RunResult result) : kind_(kind_of(result.failures.front())), best_{std::move(plan), std::move(result), 1} {}

  Shrunk go() {
    std::size_t before = 0;
    do {
      before = best_.plan.steps.size();
      leave_out_surroundings();
      leave_out_clients();
      leave_out_steps();
      simplify_steps();
    } while (best_.plan.steps.size() < before);
    return std::move(best_);
  }

 private:
  // Keeps `plan` if it fails in the same way.
  bool try_plan(Plan plan) {
    ++best_.runs;
    Tally tally;
    RunResult result = run_plan(plan, tally);
    const auto same = [&](const std::string& failure) { return kind_of(failure) == kind_; };
    const auto it = std::find_if(result.failures.begin(), result.failures.end(), same);
    if (it == result.failures.end()) return false;
    std::rotate(result.failures.begin(), it, it + 1);
    best_.plan = std::move(plan);
    best_.result = std::move(result);
    return true;
  }

  void leave_out_surroundings() {
    Plan plan = best_.plan;
    plan.faulty_network = false;
    if (best_.plan.faulty_network) try_plan(plan);
    plan = best_.plan;
    plan.mail_delay_max_us = Plan{}.mail_delay_max_us;
    if (plan.mail_delay_max_us != best_.plan.mail_delay_max_us) try_plan(plan);
    for (unsigned cores = 1; cores < best_.plan.cores; ++cores) {
      plan = best_.plan;
      plan.cores = cores;
      if (try_plan(plan)) return;
    }
  }

  void leave_out_clients() {
    for (std::size_t client = 0; client < best_.plan.first_dials.size(); ++client) {
      Plan plan = best_.plan;
      std::erase_if(plan.steps, [&](const Step& step) { return step.act < Act::crash && step.client == client; });
      if (plan.steps.size() < best_.plan.steps.size()) try_plan(std::move(plan));
    }
  }

  // Ever smaller stretches of steps; the time they took stays, as far as anything was left before them.
  void leave_out_steps() {
    for (std::size_t length = best_.plan.steps.size() / 2; length > 0; length /= 2) {
      std::size_t at = 0;
      while (at < best_.plan.steps.size()) {
        if (!leave_out(at, length, true) && !leave_out(at, length, false)) at += length;
      }
    }
  }

  bool leave_out(std::size_t at, std::size_t length, bool with_time) {
    Plan plan = best_.plan;
    const auto first = plan.steps.begin() + static_cast<std::ptrdiff_t>(at);
    const auto last = plan.steps.begin() + static_cast<std::ptrdiff_t>(std::min(plan.steps.size(), at + length));
    int64_t time_ms = 0;
    for (auto step = first; step != last; ++step) time_ms += step->wait_ms;
    if (!with_time && at > 0) (first - 1)->wait_ms += time_ms;
    plan.steps.erase(first, last);
    return try_plan(std::move(plan));
  }

  void simplify_steps() {
    for (std::size_t at = 0; at < best_.plan.steps.size(); ++at) {
      simplify(at, [](Step& step) { step.dial.will = false; }, best_.plan.steps[at].dial.will);
      simplify(at, [](Step& step) { step.padding = 0; }, best_.plan.steps[at].padding != 0);
      simplify(at, [](Step& step) { step.expiry_s = 0; }, best_.plan.steps[at].expiry_s != 0);
      simplify(at, [](Step& step) { step.group.clear(); }, !best_.plan.steps[at].group.empty());
      simplify(at, [](Step& step) { step.wait_ms = 0; }, best_.plan.steps[at].wait_ms != 0);
    }
  }

  template <typename Change>
  void simplify(std::size_t at, Change change, bool applies) {
    if (!applies) return;
    Plan plan = best_.plan;
    change(plan.steps[at]);
    try_plan(std::move(plan));
  }

  const std::string kind_;
  Shrunk best_;
};

}  // namespace

std::optional<Shrunk> shrink(const Plan& plan) {
  Tally tally;
  RunResult result = run_plan(plan, tally);
  if (result.failures.empty()) return std::nullopt;
  return Shrinker(plan, std::move(result)).go();
}

}  // namespace arena::sim
