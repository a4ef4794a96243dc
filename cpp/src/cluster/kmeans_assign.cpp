// Work on given centres: nearest centre, distances to all centres, and the statistics of one block of rows.
#include <algorithm>
#include <cmath>
#include <memory>
#include <vector>

#include "cluster/cluster_sums.hpp"
#include "cluster/column_moments.hpp"
#include "cluster/kmeans_choice.hpp"
#include "cluster/packed_centers.hpp"
#include "cluster/row_source.hpp"
#include "mlcore/base/errors.hpp"
#include "mlcore/cluster/kmeans.hpp"
#include "mlcore/runtime/parallel.hpp"
#include "mlcore/runtime/threads.hpp"

namespace mlcore::cluster {

namespace {

template <class Source>
int threads_for(const Source& x, Index k, int n_jobs) noexcept {
  const double rows = static_cast<double>(x.rows());
  const double work = rows * (kStepNsPerRow + kStepNsPerMultiplyAdd * x.entries_per_row() * static_cast<double>(k));
  return runtime::threads_for_work(runtime::resolve_threads(n_jobs).threads, work);
}

/// Centres shifted by the middle of their range, which keeps the score formula accurate for data far from the origin.
template <class Source>
struct ShiftedCenters {
  using T = typename Source::Scalar;
  explicit ShiftedCenters(const MatrixView<const T>& centers)
      : offset(Buffer<T>::zeros({centers.cols})), values({centers.rows, centers.cols}) {
    require(centers.is_row_major(), "centres must be C-contiguous");
    for (Index j = 0; j < centers.cols; ++j) {
      if constexpr (Source::kShifted) {
        double low = static_cast<double>(centers(0, j)), high = low;
        for (Index c = 1; c < centers.rows; ++c) {
          low = std::min(low, static_cast<double>(centers(c, j)));
          high = std::max(high, static_cast<double>(centers(c, j)));
        }
        offset[j] = static_cast<T>(shift_of(0.5 * low + 0.5 * high, 0.5 * high - 0.5 * low));
      }
      for (Index c = 0; c < centers.rows; ++c) values[c * centers.cols + j] = centers(c, j) - offset[j];
    }
  }
  Buffer<T> offset, values;
};

template <class Source>
void assign(const Source& x, const MatrixView<const typename Source::Scalar>& centers, int n_jobs, std::int32_t* labels,
            typename Source::Scalar* squared_distances) {
  using T = typename Source::Scalar;
  require(centers.rows >= 1 && centers.cols == x.cols(), "centres must have as many columns as X");
  const Index n = x.rows(), k = centers.rows, blocks = ceil_div(n, kBlockRows);
  const int threads = threads_for(x, k, n_jobs);
  const ShiftedCenters<Source> shifted(centers);
  auto assigner = make_assigner<Source>(x, shifted.offset.data(), KMeansAlgorithm::kLloyd, k, labels, threads);
  assigner->centers_moved(shifted.values.data(), nullptr);
  std::vector<ChangeList> changes;
  for (int m = 0; m < threads; ++m) changes.emplace_back(kBlockRows);
  Buffer<double> norms = Buffer<double>::zeros({k});
  if constexpr (!Source::kShifted)
    for (Index c = 0; c < k; ++c)
      for (Index j = 0; j < centers.cols; ++j) norms[c] += static_cast<double>(centers(c, j)) * centers(c, j);
  std::fill(labels, labels + n, -1);
  runtime::parallel_team(threads, [&](runtime::Team& team) {
    team.for_each(blocks, [&](Index b) {
      const Index first = b * kBlockRows, last = std::min(n, first + kBlockRows);
      ChangeList& list = changes[static_cast<std::size_t>(team.member())];
      list.clear();
      assigner->assign(first, last, team.member(), list);
      if (squared_distances != nullptr)
        for (Index row = first; row < last; ++row)
          squared_distances[row] =
              static_cast<T>(x.squared_distance(row, centers.data + labels[row] * centers.cols, norms[labels[row]]));
    });
  });
}

template <class T>
void transform(const DenseRows<T>& x, const MatrixView<const T>& centers, int n_jobs, T* out) {
  require(centers.cols == x.cols(), "centres must have as many columns as X");
  const Index n = x.rows(), k = centers.rows, d = x.cols(), blocks = ceil_div(n, kBlockRows);
  const KMeansKernels<T>& kernels = kmeans_kernels(T{});
  const ShiftedCenters<DenseRows<T>> shifted(centers);
  CenterPack<T> pack(k, d, kernels.lanes);
  pack.pack(shifted.values.data());
  const int threads = threads_for(x, 2 * k, n_jobs);
  struct Workspace {
    Buffer<T> tile, distances;
  };
  std::vector<Workspace> workspaces;
  for (int m = 0; m < threads; ++m)
    workspaces.push_back({Buffer<T>({d, kernels.tile_points}), Buffer<T>({kGroupCenters, kernels.tile_points})});
  runtime::parallel_team(threads, [&](runtime::Team& team) {
    team.for_each(blocks, [&](Index b) {
      Workspace& w = workspaces[static_cast<std::size_t>(team.member())];
      const PackedCenters<T> packed = pack.view();
      const Index last = std::min(n, (b + 1) * kBlockRows);
      for (Index row = b * kBlockRows; row < last; row += kernels.tile_points) {
        const Index count = std::min(kernels.tile_points, last - row);
        const MatrixView<const T>& v = x.view();
        kernels.pack_tile({v.data, v.row_stride, v.col_stride, nullptr, row, count}, d, shifted.offset.data(),
                          w.tile.data());
        for (Index g = 0; g < packed.groups; ++g) {
          kernels.tile_distances(w.tile.data(), packed, g, w.distances.data());
          for (Index p = 0; p < count; ++p)
            for (Index c = packed.first[g]; c < packed.first[g + 1]; ++c)
              out[(row + p) * k + c] = std::sqrt(w.distances[(c - packed.first[g]) * kernels.tile_points + p]);
        }
      }
    });
  });
}

template <class T, class I>
void transform(const CsrRows<T, I>& x, const MatrixView<const T>& centers, int n_jobs, T* out) {
  require(centers.cols == x.cols(), "centres must have as many columns as X");
  const Index n = x.rows(), k = centers.rows, blocks = ceil_div(n, kBlockRows);
  CenterColumns<T> columns(k, x.cols());
  columns.pack(centers.data);
  const int threads = threads_for(x, k, n_jobs);
  std::vector<Buffer<T>> scores;
  for (int m = 0; m < threads; ++m) scores.emplace_back(columns.stride());
  runtime::parallel_team(threads, [&](runtime::Team& team) {
    team.for_each(blocks, [&](Index b) {
      T* s = scores[static_cast<std::size_t>(team.member())].data();
      for (Index row = b * kBlockRows; row < std::min(n, (b + 1) * kBlockRows); ++row) {
        columns.scores(x.view(), row, s);
        const double norm = squared_norm(x.view(), row);
        for (Index c = 0; c < k; ++c)
          out[row * k + c] = static_cast<T>(std::sqrt(std::max(0.0, norm - 2.0 * static_cast<double>(s[c]))));
      }
    });
  });
}

template <class Source>
KMeansStatistics partial(const Source& x, VectorView<const typename Source::Scalar> weights,
                         const MatrixView<const typename Source::Scalar>& centers, int n_jobs) {
  using T = typename Source::Scalar;
  const Index n = x.rows(), k = centers.rows, d = centers.cols;
  require(weights.empty() || weights.size == n, "sample weights must have one value per row");
  Buffer<std::int32_t> labels({n});
  assign<Source>(x, centers, n_jobs, labels.data(), static_cast<T*>(nullptr));
  ClusterSums sums(k, d, std::clamp<Index>(n / (16 * k), 1, runtime::kMaxPartials));
  const int threads = threads_for(x, 4, n_jobs);
  runtime::parallel_for(sums.partials(), threads, [&](Index u) {
    for (Index row = n * u / sums.partials(); row < n * (u + 1) / sums.partials(); ++row)
      sums.move(u, x, row, labels[row], weights.empty() ? 1.0 : static_cast<double>(weights[row]), +1);
  });
  for (Index c = 0; c < k; ++c) sums.fold(c);
  KMeansStatistics statistics;
  statistics.sums = std::move(sums.totals());
  statistics.weights = std::move(sums.weights());
  statistics.inertia = kmeans_inertia(x.view(), weights, centers, labels.data(), n_jobs);
  return statistics;
}

}  // namespace

template <class T>
void kmeans_assign(const MatrixView<const T>& x, const MatrixView<const T>& centers, int n_jobs, std::int32_t* labels,
                   T* squared_distances) {
  assign(DenseRows<T>(x), centers, n_jobs, labels, squared_distances);
}
template <class T, class I>
void kmeans_assign(const CsrView<T, I>& x, const MatrixView<const T>& centers, int n_jobs, std::int32_t* labels,
                   T* squared_distances) {
  assign(CsrRows<T, I>(x), centers, n_jobs, labels, squared_distances);
}
template <class T>
void kmeans_transform(const MatrixView<const T>& x, const MatrixView<const T>& centers, int n_jobs, T* out) {
  transform(DenseRows<T>(x), centers, n_jobs, out);
}
template <class T, class I>
void kmeans_transform(const CsrView<T, I>& x, const MatrixView<const T>& centers, int n_jobs, T* out) {
  transform(CsrRows<T, I>(x), centers, n_jobs, out);
}
template <class T>
KMeansStatistics kmeans_partial(const MatrixView<const T>& x, VectorView<const T> weights,
                                const MatrixView<const T>& centers, int n_jobs) {
  return partial(DenseRows<T>(x), weights, centers, n_jobs);
}
template <class T, class I>
KMeansStatistics kmeans_partial(const CsrView<T, I>& x, VectorView<const T> weights, const MatrixView<const T>& centers,
                                int n_jobs) {
  return partial(CsrRows<T, I>(x), weights, centers, n_jobs);
}

template <class T>
void kmeans_finish(const MatrixView<const double>& sums, VectorView<const double> weights,
                   const MatrixView<const T>& centers, T* means) {
  for (Index c = 0; c < sums.rows; ++c)
    for (Index j = 0; j < sums.cols; ++j)
      means[c * sums.cols + j] = weights[c] > 0 ? static_cast<T>(sums(c, j) / weights[c]) : centers(c, j);
}

template void kmeans_finish(const MatrixView<const double>&, VectorView<const double>, const MatrixView<const float>&,
                            float*);
template void kmeans_finish(const MatrixView<const double>&, VectorView<const double>, const MatrixView<const double>&,
                            double*);

#define MLCORE_INSTANTIATE_VIEW(T, ...)                                                                \
  template void kmeans_assign(const __VA_ARGS__&, const MatrixView<const T>&, int, std::int32_t*, T*); \
  template void kmeans_transform(const __VA_ARGS__&, const MatrixView<const T>&, int, T*);             \
  template KMeansStatistics kmeans_partial(const __VA_ARGS__&, VectorView<const T>, const MatrixView<const T>&, int);
MLCORE_INSTANTIATE_VIEW(float, MatrixView<const float>)
MLCORE_INSTANTIATE_VIEW(double, MatrixView<const double>)
MLCORE_INSTANTIATE_VIEW(float, CsrView<float, std::int32_t>)
MLCORE_INSTANTIATE_VIEW(float, CsrView<float, std::int64_t>)
MLCORE_INSTANTIATE_VIEW(double, CsrView<double, std::int32_t>)
MLCORE_INSTANTIATE_VIEW(double, CsrView<double, std::int64_t>)

}  // namespace mlcore::cluster
