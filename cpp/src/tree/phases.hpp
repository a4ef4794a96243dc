// Rounds of a team: small ones run on the caller alone.
#pragma once
#include "mlcore/runtime/parallel.hpp"

namespace mlcore::tree {

struct Phases {
  runtime::Team* team = nullptr;

  int size() const noexcept { return team->size(); }
  int member() const noexcept { return team->member(); }
  /// Whether so much work pays for waking the team.
  bool pays(double work_ns) const noexcept { return team->size() > 1 && work_ns >= kLeastNs; }
  /// fn(task) for every task.
  template <class Fn>
  void operator()(Index tasks, double work_ns, Fn&& fn) const {
    if (tasks <= 1 || !pays(work_ns))
      for (Index t = 0; t < tasks; ++t) fn(t);
    else
      team->for_each(tasks, fn);
  }

 private:
  static constexpr double kLeastNs = 25e3;
};

}  // namespace mlcore::tree
