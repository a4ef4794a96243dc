// Driver of DBSCAN on a matrix of distances, which is read in place, row by row.
#include <algorithm>
#include <vector>

#include "mlcore/base/errors.hpp"
#include "mlcore/base/sizes.hpp"
#include "mlcore/cluster/dbscan.hpp"
#include "mlcore/runtime/interrupt.hpp"
#include "mlcore/runtime/parallel.hpp"
#include "mlcore/runtime/threads.hpp"

namespace mlcore::cluster {

namespace {

constexpr double kNsPerEntry = 0.5;
constexpr Index kRowsPerTask = 16;

/// fn(j) for every neighbour j of row i.
template <class T, class Fn>
void each_neighbour(const MatrixView<const T>& distances, Index i, double eps, Fn&& fn) {
  for (Index j = 0; j < distances.cols; ++j)
    if (static_cast<double>(distances(i, j)) <= eps) fn(j);
}
template <class T, class I, class Fn>
void each_neighbour(const CsrView<T, I>& distances, Index i, double eps, Fn&& fn) {
  for (I e = distances.indptr[i]; e < distances.indptr[i + 1]; ++e)
    if (static_cast<double>(distances.values[e]) <= eps) fn(static_cast<Index>(distances.indices[e]));
}

template <class T>
double entries(const MatrixView<const T>& distances) noexcept {
  return static_cast<double>(distances.rows) * static_cast<double>(distances.cols);
}
template <class T, class I>
double entries(const CsrView<T, I>& distances) noexcept {
  return static_cast<double>(distances.indptr[distances.rows]);
}

template <class Matrix>
DbscanResult fit(const Matrix& distances, VectorView<const double> weights, const DbscanSpec& spec) {
  const Index n = distances.rows;
  require(n >= 1 && distances.cols == n, "the matrix of distances must be square");
  require(weights.empty() || weights.size == n, "sample weights must have one value per row");
  runtime::Interrupt interrupt;
  Buffer<bool> is_core({n});
  const int threads =
      runtime::threads_for_work(runtime::resolve_threads(spec.n_jobs).threads, kNsPerEntry * entries(distances));
  runtime::parallel_team(threads, [&](runtime::Team& team) {
    team.for_each(ceil_div(n, kRowsPerTask), [&](Index task) {
      if (team.is_leader()) interrupt.poll();
      const Index last = std::min(n, (task + 1) * kRowsPerTask);
      for (Index i = task * kRowsPerTask; i < last; ++i) {
        double total = 0;
        each_neighbour(distances, i, spec.eps, [&](Index j) { total += weights.empty() ? 1.0 : weights[j]; });
        is_core[i] = total >= spec.min_samples;
      }
    });
  });

  DbscanResult result;
  result.labels = Buffer<Index>({n});
  std::fill(result.labels.begin(), result.labels.end(), -1);
  std::vector<Index> waiting;  // core rows whose neighbours are still to be labelled: each enters once
  Index clusters = 0, core_rows = 0;
  for (Index start = 0; start < n; ++start) {
    if (!is_core[start]) continue;
    ++core_rows;
    if (result.labels[start] >= 0) continue;
    result.labels[start] = clusters;
    waiting.push_back(start);
    while (!waiting.empty()) {
      interrupt.poll();
      const Index i = waiting.back();
      waiting.pop_back();
      each_neighbour(distances, i, spec.eps, [&](Index j) {
        if (result.labels[j] >= 0) return;
        result.labels[j] = clusters;
        if (is_core[j]) waiting.push_back(j);
      });
    }
    ++clusters;
  }
  result.core = Buffer<Index>({core_rows});
  for (Index i = 0, next = 0; i < n; ++i)
    if (is_core[i]) result.core[next++] = i;
  return result;
}

}  // namespace

template <class T>
DbscanResult dbscan_matrix(const MatrixView<const T>& distances, VectorView<const double> weights,
                           const DbscanSpec& spec) {
  return fit(distances, weights, spec);
}
template <class T, class I>
DbscanResult dbscan_matrix(const CsrView<T, I>& distances, VectorView<const double> weights, const DbscanSpec& spec) {
  return fit(distances, weights, spec);
}

#define MLCORE_INSTANTIATE(...) \
  template DbscanResult dbscan_matrix(const __VA_ARGS__&, VectorView<const double>, const DbscanSpec&);
MLCORE_INSTANTIATE(MatrixView<const float>)
MLCORE_INSTANTIATE(MatrixView<const double>)
MLCORE_INSTANTIATE(CsrView<float, std::int32_t>)
MLCORE_INSTANTIATE(CsrView<float, std::int64_t>)
MLCORE_INSTANTIATE(CsrView<double, std::int32_t>)
MLCORE_INSTANTIATE(CsrView<double, std::int64_t>)

}  // namespace mlcore::cluster
