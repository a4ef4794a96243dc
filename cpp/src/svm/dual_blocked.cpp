// Decomposition with large working sets, for problems whose kernel matrix is too large to be kept.
//
// A round takes about a thousand variables - the worst violators from both ends and those of the round before -,
// solves the problem in them by sequential minimal optimisation with their kernel block in cache, and then adds the
// kernel rows of the variables that moved to the gradient of all others, computed in tiles that never leave the L2
// cache (rows that are likely to be needed again are kept). The pair of largest violation is always in the working
// set, which is what convergence needs (S. S. Keerthi, E. G. Gilbert, Machine Learning 46, 2002).
//
// Shrinking: variables at a bound that lie on the right side of everything are set aside. What is left is a smaller
// problem of the same kind, with packed rows of its own, solved by the same function; the gradient of the others is
// then made up for, and the gap of the whole decides.
#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "mlcore/base/errors.hpp"
#include "svm/dual.hpp"
#include "svm/row_cache.hpp"
#include "svm/row_store.hpp"

namespace mlcore::svm {

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr Index kLargestSet = 1024;
constexpr Index kChunk = 96;             // kernel rows that are alive at a time in a block of the update
constexpr double kLocalTolerance = 0.1;  // of the gap: a working set is not solved further than the rest deserves
constexpr Index kIterationsPerVariable = 100;
constexpr Index kPatience = 5000000;  // iterations without progress
constexpr double kShrunkShare = 0.6;  // a smaller problem is made when at most this share is left
constexpr Index kSmallestShrunk = 2048;
constexpr int kDeepest = 12;

struct Extremes {
  double smallest_up[2] = {kInfinity, kInfinity};
  double largest_low[2] = {-kInfinity, -kInfinity};
  double gap() const noexcept {
    return std::max({0.0, largest_low[0] - smallest_up[0], largest_low[1] - smallest_up[1]});
  }
};

template <class T>
class BlockedSolver {
 public:
  BlockedSolver(const SmoSettings& settings, SmoWorkspace<T>& workspace, runtime::Team& team, SmoReport& report)
      : settings_(settings),
        workspace_(workspace),
        team_(team),
        report_(report),
        cache_(settings.cache_bytes),
        guard_(kPatience),
        scratch_(static_cast<std::size_t>(team.size())),
        values_(static_cast<std::size_t>(team.size())) {}

  /// Improves beta and f of the problem until its gap is below the tolerance.
  void solve(const DualProblem<T>& problem, double tolerance, int depth) {
    if (depth == 0) cache_.reset(problem.positions());
    std::vector<Index> fresh;  // chosen in the round before
    Index quiet_rounds = 0;
    for (;;) {
      poll(interrupt_, settings_.stop);
      const Extremes extremes = find_extremes(problem);
      report_.gap = extremes.gap();
      if (report_.gap < tolerance) return;
      if (!std::isfinite(report_.gap) || settings_.late()) {
        report_.status = std::isfinite(report_.gap) ? SmoStatus::kMaxSeconds : SmoStatus::kMaxIterations;
        return;
      }
      if (settings_.shrinking && ++quiet_rounds >= kRoundsBetweenShrinking && depth < kDeepest) {
        quiet_rounds = 0;
        if (shrink(problem, extremes, tolerance, depth)) {
          if (report_.status != SmoStatus::kSolved) return;
          fresh.clear();
          cache_.reset(problem.positions());
          continue;
        }
      }
      const std::vector<Index> set = choose(problem, extremes, fresh);
      if (!improve(problem, set, tolerance, report_.gap)) return;
    }
  }

 private:
  static constexpr Index kRoundsBetweenShrinking = 4;

  static bool may_grow(const DualProblem<T>& p, Index v) noexcept { return p.beta[v] < p.highest[v]; }
  static bool may_shrink(const DualProblem<T>& p, Index v) noexcept { return p.beta[v] > p.lowest[v]; }

  static Extremes find_extremes(const DualProblem<T>& problem) {
    Extremes e;
    for (Index v = 0; v < problem.variables(); ++v) {
      const Index c = problem.constraint(v);
      if (may_grow(problem, v)) e.smallest_up[c] = std::min(e.smallest_up[c], problem.f[v]);
      if (may_shrink(problem, v)) e.largest_low[c] = std::max(e.largest_low[c], problem.f[v]);
    }
    return e;
  }

  /// Variables of the next round: half of them new, the worst of both ends. `fresh`: in, the new ones of the last
  /// round, which stay; out, those of this round.
  std::vector<Index> choose(const DualProblem<T>& problem, const Extremes& e, std::vector<Index>& fresh) {
    const Index size = std::min(kLargestSet, round_up(std::max<Index>(problem.variables() / 4, 64), 64));
    std::vector<char> chosen(static_cast<std::size_t>(problem.variables()), 0);
    std::vector<Index> set;
    for (const Index v : fresh) {
      chosen[static_cast<std::size_t>(v)] = 1;
      set.push_back(v);
    }
    up_.clear();
    low_.clear();
    for (Index v = 0; v < problem.variables(); ++v) {
      if (chosen[static_cast<std::size_t>(v)] != 0) continue;
      const Index c = problem.constraint(v);
      const double above = e.largest_low[c] - problem.f[v], below = problem.f[v] - e.smallest_up[c];
      if (above > 0 && may_grow(problem, v)) up_.push_back({above, v});
      if (below > 0 && may_shrink(problem, v)) low_.push_back({below, v});
    }
    const auto room = static_cast<std::size_t>(fresh.empty() ? size : size / 2);
    keep_worst(up_, room);
    keep_worst(low_, room);
    fresh.clear();
    // Alternately from both ends, so that each violator finds its counterpart.
    for (std::size_t k = 0; fresh.size() < room && (k < up_.size() || k < low_.size()); ++k)
      for (const auto* end : {&up_, &low_})
        if (k < end->size() && fresh.size() < room && chosen[static_cast<std::size_t>((*end)[k].second)] == 0) {
          chosen[static_cast<std::size_t>((*end)[k].second)] = 1;
          fresh.push_back((*end)[k].second);
        }
    set.insert(set.end(), fresh.begin(), fresh.end());
    std::sort(set.begin(), set.end());
    return set;
  }

  using Violator = std::pair<double, Index>;
  static void keep_worst(std::vector<Violator>& violators, std::size_t count) {
    const auto worse = [](const Violator& a, const Violator& b) {
      return a.first != b.first ? a.first > b.first : a.second < b.second;
    };
    count = std::min(count, violators.size());
    std::partial_sort(violators.begin(), violators.begin() + static_cast<std::ptrdiff_t>(count), violators.end(),
                      worse);
    violators.resize(count);
  }

  /// Solves the problem in the variables of the set and moves the gradient. False when no more iterations are allowed.
  bool improve(const DualProblem<T>& problem, const std::vector<Index>& set, double tolerance, double gap) {
    const Index width = problem.rows->width(), positions = problem.positions();
    // Each constraint's variables in groups of their own; -1 is padding.
    std::vector<Index> variables;
    Index begin_of_second = 0;
    for (Index c = 0; c < 2; ++c) {
      if (c == 1) begin_of_second = static_cast<Index>(variables.size());
      for (const Index v : set)
        if (problem.constraint(v) == c) variables.push_back(v);
      while (static_cast<Index>(variables.size()) % width != 0) variables.push_back(-1);
    }
    const auto n = static_cast<Index>(variables.size());
    std::vector<Index> slots(variables.size());
    Buffer<double> local(7 * n);
    double *beta = local.data(), *lowest = beta + n, *highest = lowest + n, *f = highest + n, *diagonal = f + n,
           *penalty_up = diagonal + n, *penalty_low = penalty_up + n;
    for (Index k = 0; k < n; ++k) {
      const Index v = variables[static_cast<std::size_t>(k)];
      slots[static_cast<std::size_t>(k)] = v < 0 ? -1 : problem.slot(v % positions);
      beta[k] = v < 0 ? 0.0 : problem.beta[v];
      lowest[k] = v < 0 ? 0.0 : problem.lowest[v];
      highest[k] = v < 0 ? 0.0 : problem.highest[v];
      f[k] = v < 0 ? 0.0 : problem.f[v];
      diagonal[k] = v < 0 ? 1.0 : problem.rows->diagonal(slots[static_cast<std::size_t>(k)]);
      penalty_up[k] = beta[k] < highest[k] ? 0.0 : kInfinity;
      penalty_low[k] = beta[k] > lowest[k] ? 0.0 : -kInfinity;
    }
    std::vector<T*> rows = block_of_kernel(problem, slots);
    SmoState<T> state;
    state.rows = rows.data();
    state.diagonal = diagonal;
    state.beta = beta;
    state.lowest = lowest;
    state.highest = highest;
    state.f = f;
    state.penalty_up = penalty_up;
    state.penalty_low = penalty_low;
    state.segments[0] = {0, begin_of_second, 0, 0};
    state.segments[1] = {begin_of_second, n, begin_of_second, 1};
    state.segment_count = 2;
    Index limit = kIterationsPerVariable * n;
    if (settings_.max_iterations >= 0) limit = std::min(limit, settings_.max_iterations - report_.iterations);
    const SmoOutcome outcome =
        problem.rows->kernels().smo(state, std::max(0.5 * tolerance, kLocalTolerance * gap), limit);
    report_.iterations += outcome.iterations;
    moved_.clear();
    weights_.clear();
    for (Index k = 0; k < n; ++k) {
      const Index v = variables[static_cast<std::size_t>(k)];
      if (v < 0 || beta[k] == problem.beta[v]) continue;
      weights_.push_back(beta[k] - problem.beta[v]);
      moved_.push_back(v % positions);
      problem.beta[v] = beta[k];
    }
    move_gradient(problem);
    ++round_;
    if (guard_.stalls(
            outcome.iterations, outcome.decrease, outcome.gap, [&] { return objective(problem); },
            [&] { return gradient_terms(problem); })) {
      report_.status = SmoStatus::kStalled;
      return false;
    }
    if (settings_.max_iterations >= 0 && report_.iterations >= settings_.max_iterations) {
      report_.status = SmoStatus::kMaxIterations;
      report_.gap = find_extremes(problem).gap();
      return report_.gap < tolerance;
    }
    return true;
  }

  /// Kernel values between the slots of a working set.
  std::vector<T*> block_of_kernel(const DualProblem<T>& problem, const std::vector<Index>& slots) {
    const auto n = static_cast<Index>(slots.size());
    if (block_.size() < n * n) block_ = Buffer<T>({n, n});
    std::vector<T*> rows(slots.size());
    for (Index k = 0; k < n; ++k) rows[static_cast<std::size_t>(k)] = block_.data() + k * n;
    const auto table = problem.rows->subset(slots.data(), n);
    std::vector<Index> all(slots.size());
    for (Index k = 0; k < n; ++k) all[static_cast<std::size_t>(k)] = k;
    table->pack(all.data(), n, panel_of_set_);
    team_.for_each(table->groups(), [&](Index g) {
      std::vector<T*> out(rows);
      for (T*& row : out) row += g * table->width();
      table->compute(panel_of_set_, g, 1, out.data(), scratch_[static_cast<std::size_t>(team_.member())]);
    });
    return rows;
  }

  /// f += sum over the moved positions of weight times kernel row.
  void move_gradient(const DualProblem<T>& problem) {
    const Index positions = problem.positions(), width = problem.rows->width();
    const auto count = static_cast<Index>(moved_.size());
    missing_.clear();
    for (const Index p : moved_) {
      if (cache_.find(p) != nullptr) {
        cache_.touch(p, round_);
      } else if (std::find(missing_.begin(), missing_.end(), p) == missing_.end()) {
        missing_.push_back(p);
      }
    }
    cache_.take(missing_, round_, [&](Index p) {
      for (Index side = 0; side < problem.sides; ++side) {
        const Index v = side * positions + p;
        if (may_grow(problem, v) && may_shrink(problem, v)) return false;
      }
      return true;
    });
    std::vector<char> is_missing(static_cast<std::size_t>(positions), 0);
    for (const Index p : missing_) is_missing[static_cast<std::size_t>(p)] = 1;
    const std::vector<GroupBlock> blocks = cut_groups(problem.first_group, problem.groups, width);
    const Index stride = kGroupsPerBlock * width;
    for (Buffer<T>& values : values_) make_room(values, kChunk * stride);
    for (Index begin = 0; begin < count; begin += kChunk) {
      const Index here = std::min(kChunk, count - begin);
      std::vector<Index> slots;
      std::vector<Index> place(static_cast<std::size_t>(here), -1);  // of a row in the panel
      for (Index w = 0; w < here; ++w) {
        const Index p = moved_[static_cast<std::size_t>(begin + w)];
        if (is_missing[static_cast<std::size_t>(p)] == 0) continue;
        place[static_cast<std::size_t>(w)] = static_cast<Index>(slots.size());
        slots.push_back(problem.slot(p));
        if (cache_.find(p) != nullptr) is_missing[static_cast<std::size_t>(p)] = 0;  // there from now on
      }
      if (!slots.empty()) problem.rows->pack(slots.data(), static_cast<Index>(slots.size()), workspace_.panel);
      team_.for_each(static_cast<Index>(blocks.size()), [&](Index b) {
        const GroupBlock& block = blocks[static_cast<std::size_t>(b)];
        const auto member = static_cast<std::size_t>(team_.member());
        T* row[kChunk];
        T* wanted[kChunk];
        for (Index w = 0; w < here; ++w) {
          T* kept = cache_.find(moved_[static_cast<std::size_t>(begin + w)]);
          const Index in_panel = place[static_cast<std::size_t>(w)];
          row[w] = kept != nullptr ? kept + block.column : values_[member].data() + w * stride;
          if (in_panel >= 0) wanted[in_panel] = row[w];
        }
        if (!slots.empty()) problem.rows->compute(workspace_.panel, block.first, block.count, wanted, scratch_[member]);
        for (Index side = 0; side < problem.sides; ++side)
          problem.rows->kernels().accumulate(here, row, weights_.data() + begin, block.count * width,
                                             problem.f + side * positions + block.column);
      });
    }
  }

  /// Solves the problem without the variables that stay where they are; false when they are too few.
  bool shrink(const DualProblem<T>& problem, const Extremes& e, double tolerance, int depth) {
    const Index positions = problem.positions(), width = problem.rows->width();
    const Index middle = problem.groups[0] * width;
    std::vector<Index> kept, left;
    Index second_run = 0;
    for (Index p = 0; p < positions; ++p) {
      if (p == middle && problem.constraint_per_run) {
        while (static_cast<Index>(kept.size()) % width != 0) kept.push_back(-1);
        second_run = static_cast<Index>(kept.size());
      }
      bool stays = true, padding = true;
      for (Index side = 0; side < problem.sides; ++side) {
        const Index v = side * positions + p, c = problem.constraint(v);
        const double f = problem.f[v];
        padding = padding && problem.lowest[v] == problem.highest[v];
        const bool grows = may_grow(problem, v), shrinks = may_shrink(problem, v);
        stays =
            stays && !(grows && shrinks) && !(grows && f <= e.largest_low[c]) && !(shrinks && f >= e.smallest_up[c]);
      }
      if (padding) continue;
      (stays ? left : kept).push_back(p);
    }
    while (static_cast<Index>(kept.size()) % width != 0) kept.push_back(-1);
    const auto n = static_cast<Index>(kept.size());
    if (n > kShrunkShare * static_cast<double>(positions) || positions - n < kSmallestShrunk) return false;
    std::vector<Index> slots(kept.size());
    for (std::size_t k = 0; k < kept.size(); ++k) slots[k] = kept[k] < 0 ? -1 : problem.slot(kept[k]);
    const auto table = problem.rows->subset(slots.data(), n);
    cache_.restrict_to(kept);

    DualProblem<T> part;
    part.rows = table.get();
    part.sides = problem.sides;
    part.constraint_per_side = problem.constraint_per_side;
    part.constraint_per_run = problem.constraint_per_run;
    part.groups[0] = problem.constraint_per_run ? second_run / width : n / width;
    part.groups[1] = n / width - part.groups[0];
    part.first_group[1] = part.groups[0];
    const Index variables = part.variables();
    Buffer<double> memory(5 * variables);
    double *beta = memory.data(), *f = beta + variables, *linear = f + variables, *lowest = linear + variables,
           *highest = lowest + variables;
    for (Index side = 0; side < part.sides; ++side)
      for (Index k = 0; k < n; ++k) {
        const Index to = side * n + k, p = kept[static_cast<std::size_t>(k)], v = side * positions + p;
        beta[to] = p < 0 ? 0.0 : problem.beta[v];
        f[to] = p < 0 ? 0.0 : problem.f[v];
        linear[to] = p < 0 ? 0.0 : problem.linear[v];
        lowest[to] = p < 0 ? 0.0 : problem.lowest[v];
        highest[to] = p < 0 ? 0.0 : problem.highest[v];
      }
    part.beta = beta;
    part.f = f;
    part.linear = linear;
    part.lowest = lowest;
    part.highest = highest;
    // Far from the end the choice of what to leave out may be wrong: come back soon.
    constexpr double kSoon = 10.0;
    solve(part, e.gap() > 2 * kSoon * tolerance ? kSoon * tolerance : tolerance, depth + 1);

    std::vector<Index> changed;
    std::vector<double> weights;
    for (Index k = 0; k < n; ++k) {
      const Index p = kept[static_cast<std::size_t>(k)];
      if (p < 0) continue;
      double by = 0.0;
      for (Index side = 0; side < part.sides; ++side) {
        const Index v = side * positions + p;
        by += beta[side * n + k] - problem.beta[v];
        problem.beta[v] = beta[side * n + k];
        problem.f[v] = f[side * n + k];
      }
      if (by == 0.0) continue;
      changed.push_back(slots[static_cast<std::size_t>(k)]);
      weights.push_back(by);
    }
    make_up(problem, left, changed, weights);
    return true;
  }

  /// Adds to f of the positions `left` what the changed slots owe them.
  void make_up(const DualProblem<T>& problem, const std::vector<Index>& left, const std::vector<Index>& changed,
               const std::vector<double>& weights) {
    const Index width = problem.rows->width(), positions = problem.positions();
    std::vector<Index> slots;
    for (const Index p : left) slots.push_back(problem.slot(p));
    while (static_cast<Index>(slots.size()) % width != 0) slots.push_back(-1);
    const auto n = static_cast<Index>(slots.size());
    if (n == 0 || changed.empty()) return;
    const auto table = problem.rows->subset(slots.data(), n);
    auto sum = Buffer<double>::zeros({n});
    const Index first[2] = {0, 0}, groups[2] = {n / width, 0};
    add_kernel_products(*problem.rows, *table, changed.data(), weights.data(), static_cast<Index>(changed.size()),
                        first, groups, sum.data(), workspace_, team_);
    for (std::size_t k = 0; k < left.size(); ++k)
      for (Index side = 0; side < problem.sides; ++side)
        problem.f[side * positions + left[k]] += sum[static_cast<Index>(k)];
  }

  const SmoSettings& settings_;
  SmoWorkspace<T>& workspace_;
  runtime::Team& team_;
  SmoReport& report_;
  runtime::Interrupt interrupt_;
  RowCache<T> cache_;
  StallGuard guard_;
  std::vector<KernelScratch<T>> scratch_;
  std::vector<Buffer<T>> values_;  ///< of each member: [kChunk][block]
  Panel<T> panel_of_set_;
  Buffer<T> block_;
  std::vector<Violator> up_, low_;
  std::vector<Index> moved_;
  std::vector<double> weights_;
  std::vector<Index> missing_;
  Index round_ = 0;
};

}  // namespace

template <class T>
void solve_blocked(const DualProblem<T>& problem, const SmoSettings& settings, SmoWorkspace<T>& workspace,
                   runtime::Team& team, SmoReport& report) {
  BlockedSolver<T>(settings, workspace, team, report).solve(problem, settings.tolerance, 0);
}

template void solve_blocked<float>(const DualProblem<float>&, const SmoSettings&, SmoWorkspace<float>&, runtime::Team&,
                                   SmoReport&);
template void solve_blocked<double>(const DualProblem<double>&, const SmoSettings&, SmoWorkspace<double>&,
                                    runtime::Team&, SmoReport&);

}  // namespace mlcore::svm
