// Shrinking for problems that are solved whole: the variables that may still move, packed, with the packed columns of
// their kernel rows.
//
// A variable at a bound that lies on the right side of everything is set aside (LIBSVM's rule). The others are a
// smaller problem, whose passes cost less; afterwards the gradient of those set aside is made up for. The kernel rows
// come from a store that loses none.
#pragma once
#include <algorithm>
#include <limits>
#include <vector>

#include "svm/dual.hpp"
#include "svm/row_store.hpp"

namespace mlcore::svm {

template <class T>
class ShrunkPart {
 public:
  /// The part of `whole` that may move, given its extremes (smallest f of what may grow, largest of what may shrink,
  /// by constraint).
  ShrunkPart(const DualProblem<T>& problem, const SmoState<T>& whole, const double (&smallest)[2],
             const double (&largest)[2])
      : problem_(problem), whole_(whole), positions_(problem.positions()) {
    const Index width = problem.rows->width(), middle = problem.groups[0] * width;
    Index second = 0;
    const auto pad = [&] {
      while (static_cast<Index>(kept_.size()) % width != 0) kept_.push_back(-1);
    };
    for (Index p = 0; p < positions_; ++p) {
      if (p == middle && problem.constraint_per_run) {
        pad();
        second = static_cast<Index>(kept_.size());
      }
      bool moves = false;
      for (Index v = p; v < problem.variables(); v += positions_) {
        const Index c = problem.constraint(v);
        const bool grows = whole.penalty_up[v] == 0.0, shrinks = whole.penalty_low[v] == 0.0;
        moves = moves || (grows && shrinks) || (grows && whole.f[v] <= largest[c]) ||
                (shrinks && whole.f[v] >= smallest[c]);
      }
      if (!moves) continue;
      ++count_;
      kept_.push_back(p);
    }
    pad();
    size_ = static_cast<Index>(kept_.size());
    begin_of_second_ = second;
  }

  Index count() const noexcept { return count_; }

  /// Packs the variables; no row is there yet.
  void pack() {
    const Index variables = problem_.sides * size_;
    memory_ = Buffer<double>(7 * variables);
    double* next = memory_.data();
    const auto take = [&](const double* from, double padding) {
      double* to = next;
      next += variables;
      for (Index v = 0; v < variables; ++v) to[v] = whole_variable(v) < 0 ? padding : from[whole_variable(v)];
      return to;
    };
    constexpr double kInfinity = std::numeric_limits<double>::infinity();
    part_.beta = take(whole_.beta, 0.0);
    part_.f = take(whole_.f, 0.0);
    part_.penalty_up = take(whole_.penalty_up, kInfinity);
    part_.penalty_low = take(whole_.penalty_low, -kInfinity);
    part_.lowest = take(whole_.lowest, 0.0);
    part_.highest = take(whole_.highest, 0.0);
    part_.diagonal = take(whole_.diagonal, 1.0);
    start_ = Buffer<double>(variables);
    std::copy_n(part_.beta, variables, start_.data());
    rows_.assign(static_cast<std::size_t>(variables), nullptr);
    part_.rows = rows_.data();
    storage_ = Buffer<T>({size_, size_});
    part_.segment_count = problem_.constraint_per_run || problem_.sides == 2 ? 2 : 1;
    part_.segments[0] = {0, problem_.constraint_per_run ? begin_of_second_ : size_, 0, 0};
    if (problem_.constraint_per_run) part_.segments[1] = {begin_of_second_, size_, begin_of_second_, 1};
    if (problem_.sides == 2) part_.segments[1] = {size_, variables, 0, problem_.constraint_per_side ? 1 : 0};
  }

  SmoState<T>& state() noexcept { return part_; }
  /// Position in the whole of a variable of the part.
  Index whole_position(Index variable) const noexcept { return kept_[static_cast<std::size_t>(variable % size_)]; }

  /// Packs the row of a variable from that of the whole, which is there.
  void provide(Index variable) {
    const Index k = variable % size_;
    const T* from = whole_.rows[kept_[static_cast<std::size_t>(k)]];
    T* to = storage_.data() + k * size_;
    for (Index c = 0; c < size_; ++c) to[c] = from[std::max<Index>(kept_[static_cast<std::size_t>(c)], 0)];
    for (Index side = 0; side < problem_.sides; ++side) rows_[static_cast<std::size_t>(side * size_ + k)] = to;
  }

  /// Multipliers and gradients of the part into the whole, and what the others' gradients are owed.
  void give_back() {
    std::vector<const T*> rows;
    std::vector<double> weights;
    for (Index k = 0; k < size_; ++k) {
      if (kept_[static_cast<std::size_t>(k)] < 0) continue;
      double by = 0.0;
      for (Index side = 0; side < problem_.sides; ++side) {
        const Index v = side * size_ + k, to = whole_variable(v);
        by += part_.beta[v] - start_[v];
        whole_.beta[to] = part_.beta[v];
        whole_.f[to] = part_.f[v];
        whole_.penalty_up[to] = part_.penalty_up[v];
        whole_.penalty_low[to] = part_.penalty_low[v];
      }
      if (by == 0.0) continue;
      rows.push_back(whole_.rows[kept_[static_cast<std::size_t>(k)]]);
      weights.push_back(by);
    }
    auto sum = Buffer<double>::zeros({positions_});
    problem_.rows->kernels().accumulate(static_cast<Index>(rows.size()), rows.data(), weights.data(), positions_,
                                        sum.data());
    for (const Index p : kept_)
      if (p >= 0) sum[p] = 0.0;
    for (Index side = 0; side < problem_.sides; ++side)
      for (Index p = 0; p < positions_; ++p) whole_.f[side * positions_ + p] += sum[p];
  }

 private:
  Index whole_variable(Index v) const noexcept {
    const Index p = kept_[static_cast<std::size_t>(v % size_)];
    return p < 0 ? -1 : (v / size_) * positions_ + p;
  }

  const DualProblem<T>& problem_;
  const SmoState<T>& whole_;
  Index positions_ = 0;
  Index size_ = 0;   ///< positions of the part, padding included
  Index count_ = 0;  ///< without padding
  Index begin_of_second_ = 0;
  std::vector<Index> kept_;  ///< position in the whole, or -1
  Buffer<double> memory_;
  Buffer<double> start_;  ///< multipliers at first
  Buffer<T> storage_;     ///< packed rows, by position
  std::vector<const T*> rows_;
  SmoState<T> part_;
};

}  // namespace mlcore::svm
