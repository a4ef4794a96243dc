// Driver of k-means: owns memory, threads, the iteration and its end. The assignment steps are in *_assigner.hpp.
#include "mlcore/cluster/kmeans.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>
#include <memory>
#include <optional>
#include <vector>

#include "cluster/cluster_sums.hpp"
#include "cluster/column_moments.hpp"
#include "cluster/dense_assigner.hpp"
#include "cluster/kmeans_choice.hpp"
#include "cluster/kmeans_seeding.hpp"
#include "cluster/row_source.hpp"
#include "mlcore/base/errors.hpp"
#include "mlcore/runtime/interrupt.hpp"
#include "mlcore/runtime/parallel.hpp"
#include "mlcore/runtime/random.hpp"
#include "mlcore/runtime/threads.hpp"

namespace mlcore::cluster {

namespace {

using runtime::Interrupt;
using runtime::Team;

/// Partials for the sums: bounded so that they stay small beside the data (k d numbers each).
Index sum_partials(Index n, Index k) noexcept {
  return std::clamp<Index>(n / (16 * std::max<Index>(k, 1)), 1, runtime::kMaxPartials);
}

double sum_over_units(const Buffer<double>& values) noexcept {
  double total = 0;
  for (Index u = 0; u < values.size(); ++u) total += values[u];
  return total;
}

/// Sum of w_i |x_i - c_{label_i}|^2 for `centers` (k x d, not shifted). per_row, when given, receives the unweighted
/// terms.
template <class Source>
double inertia_of(const Source& x, VectorView<const typename Source::Scalar> weights,
                  const typename Source::Scalar* centers, Index k, const std::int32_t* labels, int threads,
                  double* per_row = nullptr) {
  const Index n = x.rows(), d = x.cols(), units = runtime::partial_count(ceil_div(n, kBlockRows));
  Buffer<double> partial({units}), norms({k});
  for (Index c = 0; c < k; ++c) {
    double norm = 0;
    if constexpr (!Source::kShifted)
      for (Index j = 0; j < d; ++j)
        norm += static_cast<double>(centers[c * d + j]) * static_cast<double>(centers[c * d + j]);
    norms[c] = norm;
  }
  runtime::parallel_for(units, threads, [&](Index u) {
    double total = 0;
    for (Index row = n * u / units; row < n * (u + 1) / units; ++row) {
      const double distance = x.squared_distance(row, centers + labels[row] * d, norms[labels[row]]);
      if (per_row != nullptr) per_row[row] = distance;
      total += weights.empty() ? distance : static_cast<double>(weights[row]) * distance;
    }
    partial[u] = total;
  });
  return sum_over_units(partial);
}

/// One run from given centres.
template <class Source>
class Run {
 public:
  using T = typename Source::Scalar;

  Run(const Source& x, VectorView<const T> weights, const KMeansSpec<T>& spec, const T* offset, double tolerance,
      int threads, Index restart)
      : x_(x),
        weights_(weights),
        spec_(spec),
        offset_(offset),
        tolerance_(tolerance),
        threads_(threads),
        restart_(restart),
        n_(x.rows()),
        d_(x.cols()),
        k_(spec.clusters),
        labels_({n_}),
        centers_({k_, d_}),
        next_({k_, d_}),
        drift_(static_cast<std::size_t>(k_), 0.0),
        sums_(k_, d_, sum_partials(n_, k_)) {
    std::fill(labels_.begin(), labels_.end(), -1);
  }

  /// `start`: k x d, not shifted.
  KMeansResult<T> fit(const T* start) {
    for (Index c = 0; c < k_; ++c)
      for (Index j = 0; j < d_; ++j)
        centers_[c * d_ + j] = static_cast<T>(static_cast<double>(start[c * d_ + j]) - static_cast<double>(offset_[j]));
    assigner_ = make_assigner<Source>(x_, offset_, spec_.algorithm, k_, labels_.data(), threads_);
    assigner_->centers_moved(centers_.data(), nullptr);
    for (int m = 0; m < threads_; ++m) changes_.emplace_back(kBlockRows);

    const Index units = sums_.partials();
    runtime::parallel_team(threads_, [&](Team& team) {
      while (!done_) {
        team.for_each(units, [&](Index u) { assign_unit(u, team); });
        team.for_each(ceil_div(k_, kFoldCenters), [&](Index block) {
          for (Index c = block * kFoldCenters; c < std::min(k_, (block + 1) * kFoldCenters); ++c) sums_.fold(c);
        });
        team.once([&] { end_step(); });
      }
    });

    KMeansResult<T> result;
    result.centers = unshifted(centers_);
    report_.objective = inertia_of(x_, weights_, result.centers.data(), k_, labels_.data(), threads_);
    result.labels = std::move(labels_);
    result.report = report_;
    result.restart = restart_;
    return result;
  }

 private:
  static constexpr Index kFoldCenters = 16;

  void assign_unit(Index u, Team& team) {
    const Index units = sums_.partials(), begin = n_ * u / units, end = n_ * (u + 1) / units;
    ChangeList& changes = changes_[static_cast<std::size_t>(team.member())];
    Index changed = 0;
    for (Index first = begin; first < end; first += kBlockRows) {
      if (team.is_leader()) interrupt_.poll();
      changes.clear();
      assigner_->assign(first, std::min(end, first + kBlockRows), team.member(), changes);
      for (Index i = 0; i < changes.count; ++i) {
        const auto [row, from, to] = changes.changes[i];
        const double weight = weights_.empty() ? 1.0 : static_cast<double>(weights_[row]);
        if (from >= 0) sums_.move(u, x_, row, from, weight, -1);
        sums_.move(u, x_, row, to, weight, +1);
      }
      changed += changes.count;
    }
    if (changed > 0) changed_.store(true, std::memory_order_relaxed);
  }

  // Serial: decides about the end, moves the centres. Cost O(k d).
  void end_step() {
    const bool changed = changed_.exchange(false, std::memory_order_relaxed);
    if (closing_) {
      done_ = true;
      return;
    }
    ++report_.iterations;
    const double change = move_centers();
    const bool stationary = !changed;
    const bool converged = change <= tolerance_;
    if (spec_.observer) {
      const runtime::IterationInfo info{report_.iterations, spec_.max_iterations, restart_, step_objective_, change};
      if (!spec_.observer(info)) report_.reason = StopReason::kCallback, closing_ = true;
    }
    interrupt_.poll();
    std::swap(centers_, next_);
    if (stationary) {
      // Labels did not change, so the sums did not: these are the labels of the new centres.
      report_.reason = StopReason::kStationary;
      done_ = true;
      return;
    }
    if (converged && !closing_) report_.reason = StopReason::kConverged, closing_ = true;
    if (report_.iterations >= spec_.max_iterations && !closing_)
      report_.reason = StopReason::kMaxIterations, closing_ = true;
    assigner_->centers_moved(centers_.data(), drift_.data());  // closing: one more step makes labels agree with centres
  }

  // next_ <- means of the rows; drift_ and the squared total shift.
  double move_centers() {
    if (spec_.observer) {
      const Buffer<T> raw = unshifted(centers_);
      step_objective_ = inertia_of(x_, weights_, raw.data(), k_, labels_.data(), 1);
    }
    std::vector<Index> empty;
    Index heaviest = 0;
    for (Index c = 0; c < k_; ++c) {
      if (sums_.empty(c)) empty.push_back(c);
      if (sums_.weight(c) > sums_.weight(heaviest)) heaviest = c;
      set_mean(c, sums_.total(c), sums_.weight(c));
    }
    if (!empty.empty()) relocate(empty, heaviest);
    double total = 0;
    for (Index c = 0; c < k_; ++c) {
      double squared = 0;
      for (Index j = 0; j < d_; ++j) {
        const double move = static_cast<double>(next_[c * d_ + j]) - static_cast<double>(centers_[c * d_ + j]);
        squared += move * move;
      }
      drift_[static_cast<std::size_t>(c)] = std::sqrt(squared);
      total += squared;
    }
    return total;
  }

  void set_mean(Index c, const double* sum, double weight) noexcept {
    if (!(weight > 0)) return;
    for (Index j = 0; j < d_; ++j)
      next_[c * d_ + j] = static_cast<T>(sum[j] / weight - static_cast<double>(offset_[j]));
  }

  // Centres without rows take the rows that lie farthest from their centres, and those rows leave their clusters'
  // means.
  void relocate(const std::vector<Index>& empty, Index heaviest) {
    Buffer<double> distance({n_});
    const Buffer<T> raw = unshifted(centers_);
    inertia_of(x_, weights_, raw.data(), k_, labels_.data(), 1, distance.data());
    std::vector<Index> order(static_cast<std::size_t>(n_));
    for (Index i = 0; i < n_; ++i) order[static_cast<std::size_t>(i)] = i;
    const std::size_t wanted = std::min(empty.size(), order.size());
    std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(wanted), order.end(),
                      [&](Index a, Index b) { return distance[a] != distance[b] ? distance[a] > distance[b] : a < b; });
    std::vector<double> row(static_cast<std::size_t>(d_)), sum;
    std::vector<std::vector<double>> reduced(static_cast<std::size_t>(k_));
    std::vector<double> weight_left(static_cast<std::size_t>(k_));
    const bool useful = wanted > 0 && distance[order[0]] > 0;
    for (std::size_t e = 0; e < empty.size(); ++e) {
      const Index c = empty[e];
      if (!useful || e >= wanted) {  // nothing to take: sit on the heaviest cluster
        std::copy_n(next_.data() + heaviest * d_, d_, next_.data() + c * d_);
        continue;
      }
      const Index taken = order[e];
      const double w = weights_.empty() ? 1.0 : static_cast<double>(weights_[taken]);
      std::fill(row.begin(), row.end(), 0.0);
      x_.add(taken, 1.0, row.data());
      for (Index j = 0; j < d_; ++j)
        next_[c * d_ + j] = static_cast<T>(row[static_cast<std::size_t>(j)] - static_cast<double>(offset_[j]));
      const std::size_t owner = static_cast<std::size_t>(labels_[taken]);
      if (reduced[owner].empty()) {
        reduced[owner].assign(sums_.total(labels_[taken]), sums_.total(labels_[taken]) + d_);
        weight_left[owner] = sums_.weight(labels_[taken]);
      }
      for (std::size_t j = 0; j < row.size(); ++j) reduced[owner][j] -= w * row[j];
      weight_left[owner] -= w;
    }
    for (Index c = 0; c < k_; ++c)
      if (!reduced[static_cast<std::size_t>(c)].empty())
        set_mean(c, reduced[static_cast<std::size_t>(c)].data(), weight_left[static_cast<std::size_t>(c)]);
  }

  Buffer<T> unshifted(const Buffer<T>& centers) const {
    Buffer<T> raw({k_, d_});
    for (Index c = 0; c < k_; ++c)
      for (Index j = 0; j < d_; ++j)
        raw[c * d_ + j] = static_cast<T>(static_cast<double>(centers[c * d_ + j]) + static_cast<double>(offset_[j]));
    return raw;
  }

  const Source& x_;
  VectorView<const T> weights_;
  const KMeansSpec<T>& spec_;
  const T* offset_;
  double tolerance_;
  int threads_;
  Index restart_, n_, d_, k_;
  Buffer<std::int32_t> labels_;
  Buffer<T> centers_, next_;
  std::vector<double> drift_;
  ClusterSums sums_;
  std::unique_ptr<Assigner<T>> assigner_;
  std::vector<ChangeList> changes_;
  std::atomic<bool> changed_{false};
  Interrupt interrupt_;
  FitReport report_;
  double step_objective_ = std::numeric_limits<double>::quiet_NaN();
  bool closing_ = false, done_ = false;
};

template <class Source>
Buffer<typename Source::Scalar> start_centers(const Source& x, VectorView<const typename Source::Scalar> weights,
                                              const KMeansSpec<typename Source::Scalar>& spec,
                                              const typename Source::Scalar* offset, Index restart, int threads) {
  using T = typename Source::Scalar;
  const Index k = spec.clusters, d = x.cols();
  Buffer<T> centers({k, d});
  const std::uint64_t run = static_cast<std::uint64_t>(restart);
  switch (spec.init) {
    case KMeansInit::kGiven:
      std::copy_n(spec.initial_centers + restart * k * d, k * d, centers.data());
      return centers;
    case KMeansInit::kParallel:
      kmeans_parallel_init(x, weights, offset, k, spec.seed, run, threads, centers.data());
      return centers;
    default:
      break;
  }
  runtime::random::Stream stream(spec.seed, runtime::random::Purpose::kSeeding, restart);
  const std::vector<Index> rows = spec.init == KMeansInit::kRandom
                                      ? random_rows(x, weights, k, spec.seed, run)
                                      : kmeans_plusplus(x, weights, offset, k, 0, stream, threads);
  for (Index c = 0; c < k; ++c) x.write_row(rows[static_cast<std::size_t>(c)], centers.data() + c * d);
  return centers;
}

template <class Source>
KMeansResult<typename Source::Scalar> fit(const Source& x, VectorView<const typename Source::Scalar> weights,
                                          const KMeansSpec<typename Source::Scalar>& spec) {
  using T = typename Source::Scalar;
  const Index n = x.rows(), d = x.cols(), k = spec.clusters;
  require(n >= 1 && d >= 1, "X must have at least one row and one column");
  require(k >= 1 && k <= n, "the number of clusters must be between 1 and the number of rows");
  require(k <= std::numeric_limits<std::int32_t>::max(), "too many clusters");
  require(weights.empty() || weights.size == n, "sample weights must have one value per row");
  require(spec.restarts >= 1 && spec.max_iterations >= 1, "restarts and iterations must be positive");
  require(spec.init != KMeansInit::kGiven || spec.initial_centers != nullptr, "initial centres are missing");

  const double step_ns = kStepNsPerMultiplyAdd * static_cast<double>(n) * x.entries_per_row() * static_cast<double>(k) +
                         kStepNsPerRow * static_cast<double>(n);
  const int allowed = runtime::resolve_threads(spec.n_jobs).threads;
  const int threads = runtime::threads_for_work(allowed, step_ns);
  const ColumnMoments moments = column_moments(x, threads);
  const Buffer<T> offset = column_shifts<Source>(moments);
  const double tolerance = spec.tolerance * moments.mean_variance;

  auto run = [&](Index restart, int run_threads) {
    const Buffer<T> start = start_centers(x, weights, spec, offset.data(), restart, run_threads);
    return Run<Source>(x, weights, spec, offset.data(), tolerance, run_threads, restart).fit(start.data());
  };
  // Restarts side by side where one is too small for threads; one after the other, each with all threads, elsewhere.
  // One result is kept for each thread: the lowest objective, the first run of equals.
  const auto better = [](const KMeansResult<T>& a, const KMeansResult<T>& b) {
    return a.report.objective != b.report.objective ? a.report.objective < b.report.objective : a.restart < b.restart;
  };
  const bool side_by_side = threads == 1 && spec.restarts > 1 && !spec.observer;
  const int side =
      side_by_side ? runtime::threads_for_work(allowed, step_ns * 10.0 * static_cast<double>(spec.restarts)) : 1;
  std::vector<std::optional<KMeansResult<T>>> results(static_cast<std::size_t>(side));
  const auto offer = [&](std::size_t slot, KMeansResult<T>&& result) {
    if (!results[slot] || better(result, *results[slot])) results[slot] = std::move(result);
  };
  if (side_by_side) {
    runtime::parallel_team(side, [&](Team& team) {
      team.for_each(spec.restarts, [&](Index r) { offer(static_cast<std::size_t>(team.member()), run(r, 1)); });
    });
  } else {
    for (Index r = 0; r < spec.restarts; ++r) {
      KMeansResult<T> result = run(r, threads);
      const bool stopped = result.report.reason == StopReason::kCallback;
      offer(0, std::move(result));
      if (stopped) break;
    }
  }
  std::size_t best = 0;
  for (std::size_t m = 1; m < results.size(); ++m)
    if (results[m] && (!results[best] || better(*results[m], *results[best]))) best = m;
  return std::move(*results[best]);
}

}  // namespace

template <class T>
KMeansResult<T> kmeans_fit(const MatrixView<const T>& x, VectorView<const T> weights, const KMeansSpec<T>& spec) {
  return fit(DenseRows<T>(x), weights, spec);
}
template <class T, class I>
KMeansResult<T> kmeans_fit(const CsrView<T, I>& x, VectorView<const T> weights, const KMeansSpec<T>& spec) {
  return fit(CsrRows<T, I>(x), weights, spec);
}
template <class T>
double kmeans_inertia(const MatrixView<const T>& x, VectorView<const T> weights, const MatrixView<const T>& centers,
                      const std::int32_t* labels, int n_jobs) {
  const int threads = runtime::threads_for_work(runtime::resolve_threads(n_jobs).threads,
                                                0.5 * static_cast<double>(x.rows) * static_cast<double>(x.cols));
  return inertia_of(DenseRows<T>(x), weights, centers.data, centers.rows, labels, threads);
}
template <class T, class I>
double kmeans_inertia(const CsrView<T, I>& x, VectorView<const T> weights, const MatrixView<const T>& centers,
                      const std::int32_t* labels, int n_jobs) {
  const CsrRows<T, I> rows(x);
  const int threads = runtime::threads_for_work(runtime::resolve_threads(n_jobs).threads,
                                                2.0 * static_cast<double>(x.rows) * (rows.entries_per_row() + 4.0));
  return inertia_of(rows, weights, centers.data, centers.rows, labels, threads);
}

#define MLCORE_INSTANTIATE_CSR(T, I)                                                                    \
  template KMeansResult<T> kmeans_fit(const CsrView<T, I>&, VectorView<const T>, const KMeansSpec<T>&); \
  template double kmeans_inertia(const CsrView<T, I>&, VectorView<const T>, const MatrixView<const T>&, \
                                 const std::int32_t*, int);
#define MLCORE_INSTANTIATE(T)                                                                                 \
  template KMeansResult<T> kmeans_fit(const MatrixView<const T>&, VectorView<const T>, const KMeansSpec<T>&); \
  template double kmeans_inertia(const MatrixView<const T>&, VectorView<const T>, const MatrixView<const T>&, \
                                 const std::int32_t*, int);                                                   \
  MLCORE_INSTANTIATE_CSR(T, std::int32_t)                                                                     \
  MLCORE_INSTANTIATE_CSR(T, std::int64_t)
MLCORE_INSTANTIATE(float)
MLCORE_INSTANTIATE(double)

}  // namespace mlcore::cluster
