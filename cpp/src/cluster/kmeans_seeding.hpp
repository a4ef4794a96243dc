// Initial centres. All draws come from Philox streams keyed by (seed, restart), never from threads.
#pragma once
#include <cstdint>
#include <vector>

#include "cluster/row_source.hpp"
#include "mlcore/base/buffer.hpp"
#include "mlcore/base/views.hpp"
#include "mlcore/cluster/kmeans_screen.hpp"
#include "mlcore/runtime/random.hpp"

namespace mlcore::cluster {

/// The weights, or none if they are all the same: equal weights draw what no weights draw.
template <class T>
VectorView<const T> without_constant(const VectorView<const T>& weights) noexcept {
  for (Index i = 1; i < weights.size; ++i)
    if (weights[i] != weights[0]) return weights;
  return {};
}

/// Greedy k-means++ (Arthur & Vassilvitskii 2007): every step draws `trials` candidates (0: 2 + floor(ln k)) with
/// probability proportional to w_i D_i and keeps the one that lowers sum_i w_i D_i most, D_i being the squared distance
/// to the nearest chosen centre. A row is looked at again only if the triangle inequality allows a candidate to be
/// nearer than its chosen centre: |c - a|^2 < 4 D; and, with a matrix unit, if products in bfloat16 allow it. Returns
/// the row numbers. Memory O(n trials + k d): the distances to one step's candidates are kept, so that the chosen one
/// takes its rows unmeasured; screening keeps two lengths a row.
template <class Source>
std::vector<Index> kmeans_plusplus(const Source& x, VectorView<const typename Source::Scalar> weights,
                                   const typename Source::Scalar* offset, Index k, Index trials,
                                   runtime::random::Stream& stream, int threads,
                                   Screening screening = Screening::kChosen);

/// k distinct rows, drawn with probability proportional to their weights.
template <class Source>
std::vector<Index> random_rows(const Source& x, VectorView<const typename Source::Scalar> weights, Index k,
                               std::uint64_t seed, std::uint64_t restart);

/// k-means|| (Bahmani et al. 2012): five rounds that each draw about 2 k rows independently, then weighted k-means++ on
/// the rows drawn. centers (k x d, not shifted) is the result.
template <class Source>
void kmeans_parallel_init(const Source& x, VectorView<const typename Source::Scalar> weights,
                          const typename Source::Scalar* offset, Index k, std::uint64_t seed, std::uint64_t restart,
                          int threads, typename Source::Scalar* centers);

}  // namespace mlcore::cluster
