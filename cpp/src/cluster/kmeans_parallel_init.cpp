// k-means||: see kmeans_seeding.hpp.
#include <algorithm>
#include <limits>
#include <memory>
#include <unordered_set>
#include <vector>

#include "cluster/assigner.hpp"
#include "cluster/kmeans_seeding.hpp"
#include "cluster/point_distances.hpp"
#include "mlcore/runtime/interrupt.hpp"
#include "mlcore/runtime/parallel.hpp"
#include "mlcore/runtime/random.hpp"

namespace mlcore::cluster {

template <class Source>
void kmeans_parallel_init(const Source& x, VectorView<const typename Source::Scalar> weights,
                          const typename Source::Scalar* offset, Index k, std::uint64_t seed, std::uint64_t restart,
                          int threads, typename Source::Scalar* centers) {
  using T = typename Source::Scalar;
  using runtime::random::Purpose;
  using runtime::random::Stream;
  weights = without_constant(weights);
  constexpr Index kRounds = 5;
  const Index n = x.rows(), d = x.cols(), blocks = ceil_div(n, kBlockRows);
  const double oversampling = 2.0 * static_cast<double>(k);
  auto weight = [&](Index row) { return weights.empty() ? 1.0 : static_cast<double>(weights[row]); };

  Stream first(seed, Purpose::kSeeding, static_cast<Index>(restart));
  std::vector<Index> rows{weights.empty() ? first.index(n) : runtime::random::WeightedChoice(weights)(first)};
  Buffer<T> distance({n});
  std::fill(distance.begin(), distance.end(), std::numeric_limits<T>::max());
  Buffer<std::int32_t> nearest = Buffer<std::int32_t>::zeros({n});
  Buffer<double> potential({blocks});
  runtime::Interrupt interrupt;

  // Rows numbered [from, rows.size()) of the sample take what is nearer to them.
  auto update = [&](std::size_t from) {
    for (std::size_t begin = from; begin < rows.size(); begin += 256) {
      interrupt.poll();
      const Index count = static_cast<Index>(std::min<std::size_t>(256, rows.size() - begin));
      PointDistances<Source> distances(x, offset, count);
      Buffer<T> points({count, d});
      for (Index c = 0; c < count; ++c) {
        x.write_row(rows[begin + static_cast<std::size_t>(c)], points.data() + c * d);
        for (Index j = 0; j < d; ++j) points[c * d + j] -= offset[j];
      }
      distances.set_points(points.data());
      std::vector<std::unique_ptr<typename PointDistances<Source>::Workspace>> workspaces;
      for (int m = 0; m < threads; ++m)
        workspaces.push_back(std::make_unique<typename PointDistances<Source>::Workspace>(distances));
      const Index tile = distances.tile_rows();
      runtime::parallel_team(threads, [&](runtime::Team& team) {
        team.for_each(blocks, [&](Index b) {
          auto& w = *workspaces[static_cast<std::size_t>(team.member())];
          const Index first_row = b * kBlockRows, last_row = std::min(n, first_row + kBlockRows);
          double total = 0;
          for (Index row = first_row; row < last_row; row += tile) {
            const Index here = std::min(tile, last_row - row);
            distances.measure(row, nullptr, here, w, w.distances.data());
            for (Index p = 0; p < here; ++p) {
              for (Index c = 0; c < count; ++c)
                if (w.distances[c * tile + p] < distance[row + p]) {
                  distance[row + p] = w.distances[c * tile + p];
                  nearest[row + p] = static_cast<std::int32_t>(begin) + static_cast<std::int32_t>(c);
                }
              total += weight(row + p) * static_cast<double>(distance[row + p]);
            }
          }
          potential[b] = total;
        });
      });
    }
  };
  update(0);
  for (Index round = 0; round < kRounds; ++round) {
    double total = 0;
    for (Index b = 0; b < blocks; ++b) total += potential[b];
    if (!(total > 0)) break;
    Stream stream(seed, Purpose::kSeeding, static_cast<Index>(restart), round + 1);
    const std::size_t before = rows.size();
    for (Index i = 0; i < n; ++i)
      if (stream.uniform() * total < oversampling * weight(i) * static_cast<double>(distance[i])) rows.push_back(i);
    update(before);
  }
  // Too few distinct rows drawn: top up with the first rows not drawn yet.
  std::unordered_set<Index> taken(rows.begin(), rows.end());
  const std::size_t drawn = rows.size();
  for (Index i = 0; i < n && static_cast<Index>(rows.size()) < k; ++i)
    if (taken.insert(i).second) rows.push_back(i);
  if (rows.size() > drawn) update(drawn);

  const Index m = static_cast<Index>(rows.size());
  Buffer<T> sample({m, d}), mass = Buffer<T>::zeros({m});
  std::vector<double> masses(static_cast<std::size_t>(m), 0.0);
  for (Index i = 0; i < n; ++i) masses[static_cast<std::size_t>(nearest[i])] += weight(i);
  for (Index c = 0; c < m; ++c) {
    x.write_row(rows[static_cast<std::size_t>(c)], sample.data() + c * d);
    mass[c] = static_cast<T>(masses[static_cast<std::size_t>(c)]);
  }
  const DenseRows<T> sample_rows(MatrixView<const T>{sample.data(), m, d, d, 1});
  Stream second(seed, Purpose::kInitialisation, static_cast<Index>(restart));
  const std::vector<Index> chosen =
      kmeans_plusplus<DenseRows<T>>(sample_rows, {mass.data(), m}, offset, k, 0, second, 1);
  for (Index c = 0; c < k; ++c)
    std::copy_n(sample.data() + chosen[static_cast<std::size_t>(c)] * d, d, centers + c * d);
}

#define MLCORE_INSTANTIATE_SOURCE(...)                                                                              \
  template void kmeans_parallel_init(const __VA_ARGS__&, VectorView<const typename __VA_ARGS__::Scalar>,            \
                                     const typename __VA_ARGS__::Scalar*, Index, std::uint64_t, std::uint64_t, int, \
                                     typename __VA_ARGS__::Scalar*);
MLCORE_INSTANTIATE_SOURCE(DenseRows<float>)
MLCORE_INSTANTIATE_SOURCE(DenseRows<double>)
MLCORE_INSTANTIATE_SOURCE(CsrRows<float, std::int32_t>)
MLCORE_INSTANTIATE_SOURCE(CsrRows<float, std::int64_t>)
MLCORE_INSTANTIATE_SOURCE(CsrRows<double, std::int32_t>)
MLCORE_INSTANTIATE_SOURCE(CsrRows<double, std::int64_t>)

}  // namespace mlcore::cluster
