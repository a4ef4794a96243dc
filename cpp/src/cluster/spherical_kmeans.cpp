// Driver of spherical k-means: threads, the iteration and its end.
#include "mlcore/cluster/spherical_kmeans.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "cluster/cluster_sums.hpp"
#include "cluster/directions.hpp"
#include "cluster/kmeans_choice.hpp"
#include "mlcore/base/errors.hpp"
#include "mlcore/runtime/interrupt.hpp"
#include "mlcore/runtime/threads.hpp"

namespace mlcore::cluster {

namespace {

template <class Source>
int threads_for(const Source& x, Index k, int n_jobs) noexcept {
  const double work = static_cast<double>(x.rows()) *
                      (kStepNsPerRow + kStepNsPerMultiplyAdd * x.entries_per_row() * static_cast<double>(k));
  return runtime::threads_for_work(runtime::resolve_threads(n_jobs).threads, work);
}

template <class T>
void check_centers(const MatrixView<const T>& centers, Index d) {
  require(centers.rows >= 1 && centers.cols == d, "centres must have as many columns as X");
  require(centers.is_row_major() && (centers.rows == 1 || centers.row_stride == d), "centres must be C-contiguous");
}

/// One descent from given centres.
template <class Source>
class SphericalRun {
 public:
  using T = typename Source::Scalar;

  SphericalRun(const Source& x, VectorView<const T> weights, const SphericalSpec<T>& spec, int threads)
      : x_(x),
        weights_(weights),
        spec_(spec),
        threads_(threads),
        n_(x.rows()),
        d_(x.cols()),
        k_(spec.initial_centers.rows),
        inverse_(inverse_norms(x, threads)),
        labels_({n_}),
        centers_({k_, d_}),
        sums_(k_, d_, std::clamp<Index>(n_ / (16 * k_), 1, runtime::kMaxPartials)),
        directions_(x, k_, threads, false) {
    std::fill(labels_.begin(), labels_.end(), -1);
    std::copy_n(spec.initial_centers.data, k_ * d_, centers_.data());
    if (!weights.empty()) heaviest_ = *std::max_element(weights.data, weights.data + weights.size);
    for (int m = 0; m < threads; ++m)
      workspaces_.push_back({Buffer<std::int32_t>(kDirectionBlock), Buffer<T>(kDirectionBlock)});
  }

  SphericalResult<T> fit() {
    const Index units = sums_.partials();
    directions_.set(centers_.data());
    runtime::parallel_team(threads_, [&](runtime::Team& team) {
      while (!done_) {
        team.for_each(units, [&](Index u) { assign_unit(u, team); });
        if (team.failed()) break;
        team.for_each(k_, [&](Index c) { sums_.fold(c); });
        if (team.failed()) break;
        team.once([&] { end_step(); });
        if (team.failed()) break;
      }
    });
    SphericalResult<T> result;
    report_.objective = objective(threads_);
    result.labels = std::move(labels_);
    result.centers = std::move(centers_);
    result.report = report_;
    return result;
  }

 private:
  struct Workspace {
    Buffer<std::int32_t> label;
    Buffer<T> product;
  };

  double weight(Index row) const noexcept { return weights_.empty() ? 1.0 : static_cast<double>(weights_[row]); }
  double objective(int threads, double* per_row = nullptr) const {
    return cosine_objective(x_, weights_, inverse_.data(), centers_.data(), k_, labels_.data(), threads, per_row);
  }

  void assign_unit(Index u, runtime::Team& team) {
    const Index units = sums_.partials(), begin = n_ * u / units, end = n_ * (u + 1) / units;
    Workspace& w = workspaces_[static_cast<std::size_t>(team.member())];
    bool changed = false;
    for (Index first = begin; first < end; first += kDirectionBlock) {
      if (team.is_leader()) interrupt_.poll();
      const Index last = std::min(end, first + kDirectionBlock);
      directions_.nearest(first, last, team.member(), w.label.data(), w.product.data());
      for (Index row = first; row < last; ++row) {
        const std::int32_t from = labels_[row], to = w.label[row - first];
        if (from == to) continue;
        const double mass = weight(row) * inverse_[row];
        if (from >= 0) sums_.move(u, x_, row, from, mass, -1);
        sums_.move(u, x_, row, to, mass, +1);
        labels_[row] = to;
        changed = true;
      }
    }
    if (changed) changed_.store(true, std::memory_order_relaxed);
  }

  // Serial; O(k d) but for the rare relocation.
  void end_step() {
    const bool changed = changed_.exchange(false, std::memory_order_relaxed);
    if (closing_) {
      done_ = true;
      return;
    }
    if (report_.iterations == 0) scale_tolerance();
    ++report_.iterations;
    const double before = spec_.observer ? objective(1) : std::numeric_limits<double>::quiet_NaN();
    const bool relocated = relocate();
    const double change = move_centers();
    if (spec_.observer) {
      const runtime::IterationInfo info{report_.iterations, spec_.max_iterations, spec_.restart, before, change};
      if (!spec_.observer(info)) report_.reason = StopReason::kCallback, closing_ = true;
    }
    interrupt_.poll();
    if (!changed && !relocated) {
      // The labels did not change, so neither did the sums: these are the labels of the new centres.
      report_.reason = closing_ ? report_.reason : StopReason::kStationary;
      done_ = true;
      return;
    }
    if (change <= tolerance_ && !closing_) report_.reason = StopReason::kConverged, closing_ = true;
    if (report_.iterations >= spec_.max_iterations && !closing_)
      report_.reason = StopReason::kMaxIterations, closing_ = true;
    directions_.set(centers_.data());  // closing: one more step makes the labels agree with the centres
  }

  // Mean column variance of the unit rows, (1 - |mean|^2) / d; their sum is that of the clusters' sums.
  void scale_tolerance() {
    double total_weight = 0, squared = 0;
    for (Index row = 0; row < n_; ++row) total_weight += inverse_[row] > 0 ? weight(row) : 0.0;
    for (Index j = 0; j < d_; ++j) {
      double sum = 0;
      for (Index c = 0; c < k_; ++c) sum += sums_.total(c)[j];
      squared += sum * sum;
    }
    const double variance = total_weight > 0 ? 1.0 - squared / (total_weight * total_weight) : 0.0;
    tolerance_ = spec_.tolerance * std::max(0.0, variance) / static_cast<double>(d_);
  }

  // centres <- directions of the sums; returns the squared total move.
  double move_centers() noexcept {
    double total = 0;
    for (Index c = 0; c < k_; ++c) {
      const double* sum = sums_.total(c);
      double squared = 0, move = 0;
      for (Index j = 0; j < d_; ++j) squared += sum[j] * sum[j];
      const double norm = std::sqrt(squared);
      if (sums_.empty(c) || !(norm > 1e-12 * heaviest_)) continue;  // nobody there, or rows that cancel
      for (Index j = 0; j < d_; ++j) {
        const T unit = static_cast<T>(sum[j] / norm);
        const double step = static_cast<double>(unit) - static_cast<double>(centers_[c * d_ + j]);
        move += step * step;
        centers_[c * d_ + j] = unit;
      }
      total += move;
    }
    return total;
  }

  // Gives each centre without rows the farthest row that another cluster can spare.
  bool relocate() {
    bool any = false;
    for (Index c = 0; c < k_; ++c) any = any || sums_.empty(c);
    if (!any) return false;
    Buffer<double> distance({n_});
    objective(1, distance.data());
    std::vector<Index> sizes(static_cast<std::size_t>(k_), 0), rows;
    constexpr double kNoise = 64.0 * std::numeric_limits<T>::epsilon();  // of a cosine between equal directions
    for (Index row = 0; row < n_; ++row) {
      if (weight(row) * inverse_[row] == 0) continue;
      ++sizes[static_cast<std::size_t>(labels_[row])];
      if (distance[row] > kNoise) rows.push_back(row);
    }
    std::stable_sort(rows.begin(), rows.end(), [&](Index a, Index b) { return distance[a] > distance[b]; });
    bool relocated = false;
    auto candidate = rows.begin();
    for (Index c = 0; c < k_; ++c) {
      if (!sums_.empty(c)) continue;
      while (candidate != rows.end() && sizes[static_cast<std::size_t>(labels_[*candidate])] < 2) ++candidate;
      if (candidate == rows.end()) break;
      const Index row = *candidate++;
      const std::int32_t from = labels_[row];
      --sizes[static_cast<std::size_t>(from)];
      const double mass = weight(row) * inverse_[row];
      sums_.move(0, x_, row, from, mass, -1);
      sums_.move(0, x_, row, static_cast<std::int32_t>(c), mass, +1);
      sums_.fold(from);
      sums_.fold(c);
      labels_[row] = static_cast<std::int32_t>(c);
      relocated = true;
    }
    return relocated;
  }

  const Source& x_;
  VectorView<const T> weights_;
  const SphericalSpec<T>& spec_;
  int threads_;
  Index n_, d_, k_;
  Buffer<double> inverse_;
  Buffer<std::int32_t> labels_;
  Buffer<T> centers_;
  ClusterSums sums_;
  Directions<Source> directions_;
  std::vector<Workspace> workspaces_;
  std::atomic<bool> changed_{false};
  runtime::Interrupt interrupt_;
  FitReport report_;
  double tolerance_ = 0;
  double heaviest_ = 1;  // largest weight: what rounding in the sums is compared with
  bool closing_ = false, done_ = false;
};

template <class Source>
SphericalResult<typename Source::Scalar> fit(const Source& x, VectorView<const typename Source::Scalar> weights,
                                             const SphericalSpec<typename Source::Scalar>& spec) {
  require(x.rows() >= 1 && x.cols() >= 1, "X must have at least one row and one column");
  check_centers(spec.initial_centers, x.cols());
  require(spec.initial_centers.rows <= std::numeric_limits<std::int32_t>::max(), "too many clusters");
  require(weights.empty() || weights.size == x.rows(), "sample weights must have one value per row");
  require(spec.max_iterations >= 1, "iterations must be positive");
  return SphericalRun<Source>(x, weights, spec, threads_for(x, spec.initial_centers.rows, spec.n_jobs)).fit();
}

template <class Source>
double assign(const Source& x, VectorView<const typename Source::Scalar> weights,
              const MatrixView<const typename Source::Scalar>& centers, int n_jobs, std::int32_t* labels) {
  using T = typename Source::Scalar;
  check_centers(centers, x.cols());
  require(weights.empty() || weights.size == x.rows(), "sample weights must have one value per row");
  const Index n = x.rows();
  const int threads = threads_for(x, centers.rows, n_jobs);
  Directions<Source> directions(x, centers.rows, threads, false);
  directions.set(centers.data);
  std::vector<Buffer<T>> product;
  for (int m = 0; m < threads; ++m) product.emplace_back(kDirectionBlock);
  runtime::parallel_team(threads, [&](runtime::Team& team) {
    team.for_each(ceil_div(n, kDirectionBlock), [&](Index b) {
      const Index first = b * kDirectionBlock, last = std::min(n, first + kDirectionBlock);
      directions.nearest(first, last, team.member(), labels + first,
                         product[static_cast<std::size_t>(team.member())].data());
    });
  });
  const Buffer<double> inverse = inverse_norms(x, threads);
  return cosine_objective(x, weights, inverse.data(), centers.data, centers.rows, labels, threads);
}

}  // namespace

template <class T>
SphericalResult<T> spherical_fit(const MatrixView<const T>& x, VectorView<const T> weights,
                                 const SphericalSpec<T>& spec) {
  return fit(DenseRows<T>(x), weights, spec);
}
template <class T, class I>
SphericalResult<T> spherical_fit(const CsrView<T, I>& x, VectorView<const T> weights, const SphericalSpec<T>& spec) {
  return fit(CsrRows<T, I>(x), weights, spec);
}
template <class T>
double spherical_assign(const MatrixView<const T>& x, VectorView<const T> weights, const MatrixView<const T>& centers,
                        int n_jobs, std::int32_t* labels) {
  return assign(DenseRows<T>(x), weights, centers, n_jobs, labels);
}
template <class T, class I>
double spherical_assign(const CsrView<T, I>& x, VectorView<const T> weights, const MatrixView<const T>& centers,
                        int n_jobs, std::int32_t* labels) {
  return assign(CsrRows<T, I>(x), weights, centers, n_jobs, labels);
}

#define MLCORE_INSTANTIATE_VIEW(T, ...)                                                                        \
  template SphericalResult<T> spherical_fit(const __VA_ARGS__&, VectorView<const T>, const SphericalSpec<T>&); \
  template double spherical_assign(const __VA_ARGS__&, VectorView<const T>, const MatrixView<const T>&, int,   \
                                   std::int32_t*);
MLCORE_INSTANTIATE_VIEW(float, MatrixView<const float>)
MLCORE_INSTANTIATE_VIEW(double, MatrixView<const double>)
MLCORE_INSTANTIATE_VIEW(float, CsrView<float, std::int32_t>)
MLCORE_INSTANTIATE_VIEW(float, CsrView<float, std::int64_t>)
MLCORE_INSTANTIATE_VIEW(double, CsrView<double, std::int32_t>)
MLCORE_INSTANTIATE_VIEW(double, CsrView<double, std::int64_t>)

}  // namespace mlcore::cluster
