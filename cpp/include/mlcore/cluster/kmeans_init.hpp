// Initial centres of k-means on their own. See kmeans.hpp.
#pragma once
#include <cstdint>

#include "mlcore/base/buffer.hpp"
#include "mlcore/base/views.hpp"

namespace mlcore::cluster {

/// Rows chosen by greedy k-means++; trials == 0 draws 2 + floor(ln k) candidates a step.
template <class T>
Buffer<Index> kmeans_plusplus_rows(const MatrixView<const T>& x, VectorView<const T> weights, Index clusters,
                                   Index trials, std::uint64_t seed, int n_jobs);
template <class T, class I>
Buffer<Index> kmeans_plusplus_rows(const CsrView<T, I>& x, VectorView<const T> weights, Index clusters, Index trials,
                                   std::uint64_t seed, int n_jobs);

/// Centres (clusters x d) by k-means||.
template <class T>
Buffer<T> kmeans_parallel_centers(const MatrixView<const T>& x, VectorView<const T> weights, Index clusters,
                                  std::uint64_t seed, int n_jobs);
template <class T, class I>
Buffer<T> kmeans_parallel_centers(const CsrView<T, I>& x, VectorView<const T> weights, Index clusters,
                                  std::uint64_t seed, int n_jobs);

}  // namespace mlcore::cluster
