#include "mlcore/cluster/minibatch.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "cluster/column_moments.hpp"
#include "cluster/row_source.hpp"
#include "mlcore/base/errors.hpp"
#include "mlcore/base/sizes.hpp"
#include "mlcore/cluster/kmeans.hpp"
#include "mlcore/runtime/interrupt.hpp"
#include "mlcore/runtime/random.hpp"
#include "mlcore/runtime/threads.hpp"

namespace mlcore::cluster {
namespace {

using runtime::random::Purpose;
using runtime::random::Stream;

template <class T>
DenseRows<T> rows_of(const MatrixView<const T>& x) {
  return DenseRows<T>(x);
}
template <class T, class I>
CsrRows<T, I> rows_of(const CsrView<T, I>& x) {
  return CsrRows<T, I>(x);
}

template <class T>
double weight_of(VectorView<const T> weights, Index row) noexcept {
  return weights.empty() ? 1.0 : static_cast<double>(weights[row]);
}

/// Memory that steps share, so that a fit of many steps allocates once.
struct StepWorkspace {
  StepWorkspace(Index rows, Index k, Index d)
      : labels(rows), sums(Buffer<double>::zeros({k, d})), gained(Buffer<double>::zeros({k})) {}
  Buffer<std::int32_t> labels;
  Buffer<double> sums;    ///< k x d; all zero between steps
  Buffer<double> gained;  ///< k; all zero between steps
};

/// Centres to be put elsewhere: weight below ratio * largest; of too many the lightest, at most half a batch.
std::vector<Index> starved(const Buffer<double>& weights, double ratio, Index batch) {
  const double limit = ratio * *std::max_element(weights.data(), weights.data() + weights.size());
  std::vector<Index> found;
  for (Index j = 0; j < weights.size(); ++j)
    if (weights[j] < limit) found.push_back(j);
  const auto allowed = static_cast<std::size_t>(batch / 2);
  if (found.size() > allowed) {
    std::stable_sort(found.begin(), found.end(), [&](Index a, Index b) { return weights[a] < weights[b]; });
    found.resize(allowed);
  }
  return found;
}

template <class T, class Source>
Index reassign(const Source& x, VectorView<const T> weights, double ratio, std::uint64_t seed,
               MiniBatchState<T>& state) {
  std::vector<Index> moved = starved(state.weights, ratio, x.rows());
  if (moved.empty()) return 0;
  // A row without weight is as good as absent.
  std::vector<Index> eligible;
  for (Index row = 0; row < x.rows(); ++row)
    if (weight_of(weights, row) > 0) eligible.push_back(row);
  if (moved.size() > eligible.size()) moved.resize(eligible.size());
  Stream stream(seed, Purpose::kReassignment, state.step);
  const Buffer<Index> chosen = runtime::random::sample_without_replacement(stream, static_cast<Index>(eligible.size()),
                                                                           static_cast<Index>(moved.size()));
  std::vector<bool> is_moved(static_cast<std::size_t>(state.clusters), false);
  for (std::size_t i = 0; i < moved.size(); ++i) {
    is_moved[static_cast<std::size_t>(moved[i])] = true;
    x.write_row(eligible[static_cast<std::size_t>(chosen[static_cast<Index>(i)])],
                state.centers.data() + moved[i] * x.cols());
  }
  // The least weight of the others, so that a centre is not sent on before it had a chance.
  double least = std::numeric_limits<double>::infinity();
  for (Index j = 0; j < state.clusters; ++j)
    if (!is_moved[static_cast<std::size_t>(j)]) least = std::min(least, state.weights[j]);
  if (std::isfinite(least))
    for (const Index j : moved) state.weights[j] = least;
  return static_cast<Index>(moved.size());
}

template <class T, class View>
MiniBatchStep step(const View& batch, VectorView<const T> weights, double ratio, std::uint64_t seed, int n_jobs,
                   StepWorkspace& work, MiniBatchState<T>& state) {
  const auto x = rows_of(batch);
  const Index k = state.clusters, d = x.cols();
  const MatrixView<const T> centers = row_major<const T>(state.centers.data(), k, d);
  MiniBatchStep report;
  kmeans_assign(batch, centers, n_jobs, work.labels.data(), static_cast<T*>(nullptr));
  report.inertia = kmeans_inertia(batch, weights, centers, work.labels.data(), n_jobs);

  bool unseen = false;
  for (Index j = 0; j < k; ++j) unseen = unseen || state.weights[j] == 0;
  state.unchecked += x.rows();
  const bool look = unseen || state.unchecked >= 10 * k;
  if (look) state.unchecked = 0;

  for (Index row = 0; row < x.rows(); ++row) {
    const double weight = weight_of(weights, row);
    if (weight == 0) continue;
    const Index j = work.labels[row];
    work.gained[j] += weight;
    x.add(row, weight, work.sums.data() + j * d);
  }
  for (Index j = 0; j < k; ++j) {
    const double gained = work.gained[j];
    if (gained == 0) continue;
    state.weights[j] += gained;
    double* sum = work.sums.data() + j * d;
    T* center = state.centers.data() + j * d;
    for (Index f = 0; f < d; ++f) {
      const double move = (sum[f] - gained * static_cast<double>(center[f])) / state.weights[j];
      center[f] = static_cast<T>(static_cast<double>(center[f]) + move);
      report.change += move * move;
      sum[f] = 0;
    }
    work.gained[j] = 0;
  }
  if (look && ratio > 0) report.reassigned = reassign(x, weights, ratio, seed, state);
  ++state.step;
  return report;
}

template <class T, class View>
void check(const View& x, VectorView<const T> weights, const MiniBatchState<T>& state) {
  require(x.rows > 0 && x.cols > 0, "X must not be empty");
  require(weights.empty() || weights.size == x.rows, "sample_weight must have one value per row");
  require(state.clusters > 0 && state.centers.size() == checked_product({state.clusters, x.cols}),
          "centers do not fit X");
  require(state.weights.size() == state.clusters, "counts do not fit the centers");
}

/// Gathers rows of X into one block of memory.
template <class T>
class DenseBatch {
 public:
  DenseBatch(const MatrixView<const T>& x, Index rows) : x_(x), values_({rows, x.cols}), rows_(rows) {}
  void add(Index position, Index row) noexcept { rows_of(x_).write_row(row, values_.data() + position * x_.cols); }
  MatrixView<const T> view() const noexcept { return row_major<const T>(values_.data(), rows_, x_.cols); }

 private:
  MatrixView<const T> x_;
  Buffer<T> values_;
  Index rows_;
};

template <class T, class I>
class CsrBatch {
 public:
  CsrBatch(const CsrView<T, I>& x, Index rows) : x_(x), indptr_(static_cast<std::size_t>(rows) + 1, 0) {}
  /// Positions must come in order.
  void add(Index position, Index row) {
    if (position == 0) {
      values_.clear();
      indices_.clear();
    }
    const auto first = static_cast<Index>(x_.indptr[row]), last = static_cast<Index>(x_.indptr[row + 1]);
    values_.insert(values_.end(), x_.values + first, x_.values + last);
    indices_.insert(indices_.end(), x_.indices + first, x_.indices + last);
    if (values_.size() > static_cast<std::size_t>(std::numeric_limits<I>::max()))
      throw std::length_error("a batch has more entries than its index type can count");
    indptr_[static_cast<std::size_t>(position) + 1] = static_cast<I>(values_.size());
  }
  CsrView<T, I> view() const noexcept {
    return {values_.data(), indices_.data(), indptr_.data(), static_cast<Index>(indptr_.size()) - 1, x_.cols};
  }

 private:
  CsrView<T, I> x_;
  std::vector<T> values_;
  std::vector<I> indices_, indptr_;
};

template <class T>
DenseBatch<T> batch_of(const MatrixView<const T>& x, Index rows) {
  return DenseBatch<T>(x, rows);
}
template <class T, class I>
CsrBatch<T, I> batch_of(const CsrView<T, I>& x, Index rows) {
  return CsrBatch<T, I>(x, rows);
}

template <class T, class View>
FitReport fit(const View& x, VectorView<const T> weights, const MiniBatchSpec& spec, MiniBatchState<T>& state) {
  check(x, weights, state);
  require(spec.batch_size > 0 && spec.max_steps > 0, "batch_size and the number of steps must be positive");
  const Index n = x.rows, size = std::min(n, spec.batch_size);
  const int threads = runtime::resolve_threads(spec.n_jobs).threads;
  const double limit = spec.tolerance > 0 ? spec.tolerance * column_moments(rows_of(x), threads).mean_variance : 0;
  const double newest = std::min(1.0, 2.0 * static_cast<double>(size) / static_cast<double>(n + 1));

  // A batch as large as the data is the data: the same cost, and no noise from drawing rows twice or not at all.
  const bool whole = size >= n;
  auto batch = batch_of(x, whole ? 0 : size);
  Buffer<T> batch_weights(weights.empty() || whole ? 0 : size);
  StepWorkspace work(size, state.clusters, x.cols);
  std::vector<Index> rows(static_cast<std::size_t>(size));
  runtime::Interrupt interrupt;
  FitReport report;
  report.objective = std::numeric_limits<double>::quiet_NaN();
  report.reason = StopReason::kMaxIterations;
  double lowest = std::numeric_limits<double>::infinity();
  Index stalled = 0;
  for (Index number = 1; number <= spec.max_steps; ++number) {
    interrupt.poll();
    MiniBatchStep done;
    if (whole) {
      done = step(x, weights, spec.reassignment_ratio, spec.seed, threads, work, state);
    } else {
      Stream stream(spec.seed, Purpose::kMiniBatch, state.step);
      for (Index& row : rows) row = stream.index(n);
      // The order of a batch is free: read X in its own order.
      std::sort(rows.begin(), rows.end());
      for (Index position = 0; position < size; ++position) {
        const Index row = rows[static_cast<std::size_t>(position)];
        batch.add(position, row);
        if (!weights.empty()) batch_weights[position] = weights[row];
      }
      const VectorView<const T> own{batch_weights.data(), batch_weights.size()};
      done = step(batch.view(), own, spec.reassignment_ratio, spec.seed, threads, work, state);
    }

    const double mean = done.inertia / static_cast<double>(size);
    // The first batch is judged by the starting centres and says nothing about the steps.
    if (number == 2) report.objective = mean;
    if (number > 2) report.objective += newest * (mean - report.objective);
    report.iterations = number;
    if (spec.observer.on_step != nullptr) {
      MiniBatchInfo info;
      info.iteration = number;
      info.max_iterations = spec.max_steps;
      info.objective = report.objective;
      info.change = done.change;
      info.batch_inertia = mean;
      info.reassigned = done.reassigned;
      if (!spec.observer.on_step(spec.observer.context, info)) {
        report.reason = StopReason::kCallback;
        return report;
      }
    }
    if (number == 1) continue;
    if (spec.tolerance > 0 && done.change <= limit) {
      report.reason = StopReason::kConverged;
      return report;
    }
    stalled = report.objective < lowest ? 0 : stalled + 1;
    lowest = std::min(lowest, report.objective);
    if (spec.patience >= 0 && stalled >= spec.patience) {
      report.reason = StopReason::kStationary;
      return report;
    }
  }
  return report;
}

template <class T, class View>
MiniBatchStep single_step(const View& x, VectorView<const T> weights, double ratio, std::uint64_t seed, int n_jobs,
                          MiniBatchState<T>& state) {
  check(x, weights, state);
  StepWorkspace work(x.rows, state.clusters, x.cols);
  return step(x, weights, ratio, seed, n_jobs, work, state);
}

}  // namespace

template <class T>
MiniBatchStep minibatch_step(const MatrixView<const T>& x, VectorView<const T> weights, double ratio,
                             std::uint64_t seed, int n_jobs, MiniBatchState<T>& state) {
  return single_step(x, weights, ratio, seed, n_jobs, state);
}
template <class T, class I>
MiniBatchStep minibatch_step(const CsrView<T, I>& x, VectorView<const T> weights, double ratio, std::uint64_t seed,
                             int n_jobs, MiniBatchState<T>& state) {
  return single_step(x, weights, ratio, seed, n_jobs, state);
}
template <class T>
FitReport minibatch_fit(const MatrixView<const T>& x, VectorView<const T> weights, const MiniBatchSpec& spec,
                        MiniBatchState<T>& state) {
  return fit(x, weights, spec, state);
}
template <class T, class I>
FitReport minibatch_fit(const CsrView<T, I>& x, VectorView<const T> weights, const MiniBatchSpec& spec,
                        MiniBatchState<T>& state) {
  return fit(x, weights, spec, state);
}

#define MLCORE_MINIBATCH(T, View)                                                                     \
  template MiniBatchStep minibatch_step(const View&, VectorView<const T>, double, std::uint64_t, int, \
                                        MiniBatchState<T>&);                                          \
  template FitReport minibatch_fit(const View&, VectorView<const T>, const MiniBatchSpec&, MiniBatchState<T>&);
#define MLCORE_COMMA ,
MLCORE_MINIBATCH(float, MatrixView<const float>)
MLCORE_MINIBATCH(double, MatrixView<const double>)
MLCORE_MINIBATCH(float, CsrView<float MLCORE_COMMA std::int32_t>)
MLCORE_MINIBATCH(float, CsrView<float MLCORE_COMMA std::int64_t>)
MLCORE_MINIBATCH(double, CsrView<double MLCORE_COMMA std::int32_t>)
MLCORE_MINIBATCH(double, CsrView<double MLCORE_COMMA std::int64_t>)

}  // namespace mlcore::cluster
