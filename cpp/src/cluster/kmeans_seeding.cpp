// Initial centres as calls of their own, and rows drawn at random. The methods: kmeans_plusplus.cpp,
// kmeans_parallel_init.cpp.
#include "cluster/kmeans_seeding.hpp"

#include <algorithm>
#include <limits>
#include <utility>

#include "cluster/column_moments.hpp"
#include "mlcore/base/errors.hpp"
#include "mlcore/cluster/kmeans_init.hpp"
#include "mlcore/runtime/isa.hpp"
#include "mlcore/runtime/random.hpp"
#include "mlcore/runtime/threads.hpp"

namespace mlcore::cluster {

using runtime::random::Purpose;
using runtime::random::Stream;

template <class Source>
std::vector<Index> random_rows(const Source& x, VectorView<const typename Source::Scalar> weights, Index k,
                               std::uint64_t seed, std::uint64_t restart) {
  Stream stream(seed, Purpose::kSeeding, static_cast<Index>(restart));
  weights = without_constant(weights);
  const Index n = x.rows();
  if (weights.empty()) {
    const Buffer<Index> rows = runtime::random::sample_without_replacement(stream, n, k);
    return std::vector<Index>(rows.data(), rows.data() + k);
  }
  // The k smallest of Exp(1) / w_i are a weighted sample without replacement (Efraimidis & Spirakis 2006).
  std::vector<std::pair<double, Index>> keys(static_cast<std::size_t>(n));
  for (Index i = 0; i < n; ++i) {
    const double w = static_cast<double>(weights[i]), draw = stream.exponential();
    keys[static_cast<std::size_t>(i)] = {w > 0 ? draw / w : std::numeric_limits<double>::infinity(), i};
  }
  std::partial_sort(keys.begin(), keys.begin() + k, keys.end());
  std::vector<Index> rows(static_cast<std::size_t>(k));
  for (std::size_t c = 0; c < rows.size(); ++c) rows[c] = keys[c].second;
  return rows;
}

#define MLCORE_INSTANTIATE_SOURCE(...)                                                                               \
  template std::vector<Index> random_rows(const __VA_ARGS__&, VectorView<const typename __VA_ARGS__::Scalar>, Index, \
                                          std::uint64_t, std::uint64_t);
MLCORE_INSTANTIATE_SOURCE(DenseRows<float>)
MLCORE_INSTANTIATE_SOURCE(DenseRows<double>)
MLCORE_INSTANTIATE_SOURCE(CsrRows<float, std::int32_t>)
MLCORE_INSTANTIATE_SOURCE(CsrRows<float, std::int64_t>)
MLCORE_INSTANTIATE_SOURCE(CsrRows<double, std::int32_t>)
MLCORE_INSTANTIATE_SOURCE(CsrRows<double, std::int64_t>)

namespace {

template <class Source>
struct SeedingCall {
  using T = typename Source::Scalar;
  SeedingCall(const Source& x, VectorView<const T> weights, Index clusters, int n_jobs) {
    require(x.rows() >= 1 && x.cols() >= 1, "X must have at least one row and one column");
    require(clusters >= 1 && clusters <= x.rows(), "the number of clusters must be between 1 and the number of rows");
    require(weights.empty() || weights.size == x.rows(), "sample weights must have one value per row");
    const double work = static_cast<double>(x.rows()) * (3.0 + 0.1 * x.entries_per_row());
    threads = runtime::threads_for_work(runtime::resolve_threads(n_jobs).threads, work);
    offset = column_shifts<Source>(column_moments(x, threads));
  }
  Buffer<T> offset;
  int threads = 1;
};

template <class Source>
Buffer<Index> plusplus_rows(const Source& x, VectorView<const typename Source::Scalar> weights, Index clusters,
                            Index trials, std::uint64_t seed, int n_jobs, Screening screening = Screening::kChosen) {
  const SeedingCall<Source> call(x, weights, clusters, n_jobs);
  Stream stream(seed, Purpose::kSeeding, 0);
  const std::vector<Index> rows =
      kmeans_plusplus(x, weights, call.offset.data(), clusters, trials, stream, call.threads, screening);
  Buffer<Index> out({clusters});
  std::copy(rows.begin(), rows.end(), out.begin());
  return out;
}

template <class Source>
Buffer<typename Source::Scalar> parallel_centers(const Source& x, VectorView<const typename Source::Scalar> weights,
                                                 Index clusters, std::uint64_t seed, int n_jobs) {
  const SeedingCall<Source> call(x, weights, clusters, n_jobs);
  Buffer<typename Source::Scalar> centers({clusters, x.cols()});
  kmeans_parallel_init(x, weights, call.offset.data(), clusters, seed, 0, call.threads, centers.data());
  return centers;
}

}  // namespace

Buffer<Index> kmeans_plusplus_screened(const MatrixView<const float>& x, Index clusters, Index trials,
                                       std::uint64_t seed, int n_jobs, Screening screening) {
  require(screening != Screening::kMatrixUnit || runtime::amx_bf16(), "no matrix unit");
  return plusplus_rows(DenseRows<float>(x), {}, clusters, trials, seed, n_jobs, screening);
}

template <class T>
Buffer<Index> kmeans_plusplus_rows(const MatrixView<const T>& x, VectorView<const T> weights, Index clusters,
                                   Index trials, std::uint64_t seed, int n_jobs) {
  return plusplus_rows(DenseRows<T>(x), weights, clusters, trials, seed, n_jobs);
}
template <class T, class I>
Buffer<Index> kmeans_plusplus_rows(const CsrView<T, I>& x, VectorView<const T> weights, Index clusters, Index trials,
                                   std::uint64_t seed, int n_jobs) {
  return plusplus_rows(CsrRows<T, I>(x), weights, clusters, trials, seed, n_jobs);
}
template <class T>
Buffer<T> kmeans_parallel_centers(const MatrixView<const T>& x, VectorView<const T> weights, Index clusters,
                                  std::uint64_t seed, int n_jobs) {
  return parallel_centers(DenseRows<T>(x), weights, clusters, seed, n_jobs);
}
template <class T, class I>
Buffer<T> kmeans_parallel_centers(const CsrView<T, I>& x, VectorView<const T> weights, Index clusters,
                                  std::uint64_t seed, int n_jobs) {
  return parallel_centers(CsrRows<T, I>(x), weights, clusters, seed, n_jobs);
}

#define MLCORE_INSTANTIATE_INIT(T, ...)                                                                             \
  template Buffer<Index> kmeans_plusplus_rows(const __VA_ARGS__&, VectorView<const T>, Index, Index, std::uint64_t, \
                                              int);                                                                 \
  template Buffer<T> kmeans_parallel_centers(const __VA_ARGS__&, VectorView<const T>, Index, std::uint64_t, int);
MLCORE_INSTANTIATE_INIT(float, MatrixView<const float>)
MLCORE_INSTANTIATE_INIT(double, MatrixView<const double>)
MLCORE_INSTANTIATE_INIT(float, CsrView<float, std::int32_t>)
MLCORE_INSTANTIATE_INIT(float, CsrView<float, std::int64_t>)
MLCORE_INSTANTIATE_INIT(double, CsrView<double, std::int32_t>)
MLCORE_INSTANTIATE_INIT(double, CsrView<double, std::int64_t>)

}  // namespace mlcore::cluster
