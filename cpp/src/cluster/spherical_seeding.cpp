// Initial rows of spherical k-means: greedy k-means++ (Arthur & Vassilvitskii 2007) with D = 1 - cos, which is half the
// squared distance of the unit rows, or rows at random.
//
// Glossary
//   distance   D_i, 1 - cos to the nearest chosen row; infinite before the first
//   mass       what row i is drawn in proportion to, kept in the caller's order, so that a draw reads it front to back
#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "cluster/directions.hpp"
#include "cluster/kmeans_choice.hpp"
#include "mlcore/base/errors.hpp"
#include "mlcore/cluster/spherical_kmeans.hpp"
#include "mlcore/runtime/interrupt.hpp"
#include "mlcore/runtime/random.hpp"
#include "mlcore/runtime/threads.hpp"

namespace mlcore::cluster {

namespace {

template <class Source>
class Seeder {
 public:
  using T = typename Source::Scalar;

  Seeder(const Source& x, VectorView<const T> weights, VectorView<const Index> order, const SphericalSeeding& spec,
         int threads)
      : x_(x),
        weights_(weights),
        order_(order),
        spec_(spec),
        threads_(threads),
        n_(x.rows()),
        trials_(spec.plusplus ? 2 + static_cast<Index>(std::log(static_cast<double>(spec.clusters))) : 1),
        inverse_(inverse_norms(x, threads)),
        distance_({n_}),
        mass_({n_}),
        place_({n_}),
        points_(Buffer<T>::zeros({trials_, x.cols()})),
        one_(x, 1, threads, true),
        several_(x, trials_, threads, true),
        stream_(spec.seed, runtime::random::Purpose::kSeeding, spec.restart) {
    for (int m = 0; m < threads; ++m) products_.emplace_back(trials_ * kDirectionBlock);
    for (Index p = 0; p < n_; ++p) place_[order.empty() ? p : order[p]] = p;
    for (Index row = 0; row < n_; ++row) {
      distance_[row] = std::numeric_limits<T>::infinity();
      mass_[place_[row]] = direction_weight(row);
    }
  }

  Buffer<Index> run() {
    Buffer<Index> chosen({spec_.clusters});
    require(total() > 0, "every row is zero or has no weight");
    for (Index c = 0; c < spec_.clusters; ++c) {
      interrupt_.poll();
      chosen[c] = c == 0 || trials_ == 1 ? draw() : best_of_several();
      write_unit(chosen[c], points_.data());
      take(chosen[c]);
    }
    return chosen;
  }

 private:
  /// Weight of a row that has a direction, else 0.
  double direction_weight(Index row) const noexcept {
    if (inverse_[row] == 0) return 0.0;
    return weights_.empty() ? 1.0 : static_cast<double>(weights_[row]);
  }
  double total() const noexcept {
    double sum = 0;
    for (Index p = 0; p < n_; ++p) sum += mass_[p];
    return sum;
  }

  /// Row drawn in proportion to the mass; without any mass left (fewer directions than clusters) the first row with
  /// weight.
  Index draw() noexcept {
    const double target = stream_.uniform() * total();
    double cumulative = 0;
    Index last = -1;
    for (Index p = 0; p < n_; ++p) {
      if (!(mass_[p] > 0)) continue;
      last = p;
      cumulative += mass_[p];
      if (cumulative > target) break;
    }
    if (last < 0)
      for (last = 0; direction_weight(row_at(last)) == 0;) ++last;
    return row_at(last);
  }
  Index row_at(Index place) const noexcept { return order_.empty() ? place : order_[place]; }

  void write_unit(Index row, T* out) const noexcept {
    std::fill(out, out + x_.cols(), T(0));
    for_entries(x_, row, [&](Index j, double v) { out[j] += static_cast<T>(v * inverse_[row]); });
  }

  /// 1 - cos from a product with a unit vector; what may be rounding counts as the same direction.
  T distance_of(Index row, T product) const noexcept {
    constexpr double kNoise = 16.0 * std::numeric_limits<T>::epsilon();
    const double distance = 1.0 - static_cast<double>(product) * inverse_[row];
    return inverse_[row] == 0 || distance < kNoise ? T(0) : static_cast<T>(distance);
  }

  template <class Fn>
  void for_blocks(Fn&& fn) {
    runtime::parallel_team(threads_, [&](runtime::Team& team) {
      team.for_each(ceil_div(n_, kDirectionBlock), [&](Index b) {
        const Index first = b * kDirectionBlock;
        fn(b, first, std::min(n_, first + kDirectionBlock), team.member(),
           products_[static_cast<std::size_t>(team.member())].data());
      });
    });
  }

  /// The drawn candidate that lowers sum_i w_i D_i most, the first of equals.
  Index best_of_several() {
    std::vector<Index> rows;
    for (Index t = 0; t < trials_; ++t) {
      rows.push_back(draw());
      write_unit(rows.back(), points_.data() + t * x_.cols());
    }
    several_.set(points_.data());
    const Index blocks = ceil_div(n_, kDirectionBlock);
    Buffer<double> gain = Buffer<double>::zeros({blocks, trials_});
    for_blocks([&](Index b, Index first, Index last, int member, T* product) {
      several_.products(first, last, member, product);
      for (Index t = 0; t < trials_; ++t)
        for (Index row = first; row < last; ++row) {
          const T saved = distance_[row] - distance_of(row, product[t * kDirectionBlock + (row - first)]);
          if (saved > 0) gain[b * trials_ + t] += direction_weight(row) * static_cast<double>(saved);
        }
    });
    Index best = 0;
    double most = -1;
    for (Index t = 0; t < trials_; ++t) {
      double sum = 0;
      for (Index b = 0; b < blocks; ++b) sum += gain[b * trials_ + t];
      // Equal but for the order of summation: the draw decides, not the rounding.
      if (sum > most * (1.0 + 1e-12)) most = sum, best = t;
    }
    return rows[static_cast<std::size_t>(best)];
  }

  /// Lets the chosen row, whose direction is in points_, take the rows that it is nearest to.
  void take(Index chosen) {
    one_.set(points_.data());
    for_blocks([&](Index, Index first, Index last, int member, T* product) {
      one_.products(first, last, member, product);
      for (Index row = first; row < last; ++row) {
        const T distance = row == chosen ? T(0) : distance_of(row, product[row - first]);
        if (!(distance < distance_[row])) continue;
        distance_[row] = distance;
        const double weight = direction_weight(row);
        mass_[place_[row]] = spec_.plusplus ? weight * static_cast<double>(distance) : distance > 0 ? weight : 0.0;
      }
    });
  }

  const Source& x_;
  VectorView<const T> weights_;
  VectorView<const Index> order_;
  const SphericalSeeding& spec_;
  int threads_;
  Index n_, trials_;
  Buffer<double> inverse_;
  Buffer<T> distance_;
  Buffer<double> mass_;
  Buffer<Index> place_;  // where a row stands in the order
  Buffer<T> points_;
  Directions<Source> one_, several_;
  runtime::random::Stream stream_;
  std::vector<Buffer<T>> products_;
  runtime::Interrupt interrupt_;
};

template <class Source>
Buffer<Index> seed(const Source& x, VectorView<const typename Source::Scalar> weights, VectorView<const Index> order,
                   const SphericalSeeding& spec) {
  const Index n = x.rows();
  require(n >= 1 && x.cols() >= 1, "X must have at least one row and one column");
  require(spec.clusters >= 1 && spec.clusters <= n, "the number of clusters must be between 1 and the number of rows");
  require(weights.empty() || weights.size == n, "sample weights must have one value per row");
  require(order.empty() || order.size == n, "order must have one value per row");
  std::vector<char> seen(static_cast<std::size_t>(order.size), 0);
  for (Index p = 0; p < order.size; ++p) {
    require(order[p] >= 0 && order[p] < n && !seen[static_cast<std::size_t>(order[p])], "order must be a permutation");
    seen[static_cast<std::size_t>(order[p])] = 1;
  }
  const double work = static_cast<double>(n) * (kStepNsPerRow + 4 * kStepNsPerMultiplyAdd * x.entries_per_row());
  const int threads = runtime::threads_for_work(runtime::resolve_threads(spec.n_jobs).threads, work);
  return Seeder<Source>(x, weights, order, spec, threads).run();
}

}  // namespace

template <class T>
Buffer<Index> spherical_seed(const MatrixView<const T>& x, VectorView<const T> weights, VectorView<const Index> order,
                             const SphericalSeeding& seeding) {
  return seed(DenseRows<T>(x), weights, order, seeding);
}
template <class T, class I>
Buffer<Index> spherical_seed(const CsrView<T, I>& x, VectorView<const T> weights, VectorView<const Index> order,
                             const SphericalSeeding& seeding) {
  return seed(CsrRows<T, I>(x), weights, order, seeding);
}

#define MLCORE_INSTANTIATE_VIEW(T, ...)                                                                   \
  template Buffer<Index> spherical_seed(const __VA_ARGS__&, VectorView<const T>, VectorView<const Index>, \
                                        const SphericalSeeding&);
MLCORE_INSTANTIATE_VIEW(float, MatrixView<const float>)
MLCORE_INSTANTIATE_VIEW(double, MatrixView<const double>)
MLCORE_INSTANTIATE_VIEW(float, CsrView<float, std::int32_t>)
MLCORE_INSTANTIATE_VIEW(float, CsrView<float, std::int64_t>)
MLCORE_INSTANTIATE_VIEW(double, CsrView<double, std::int32_t>)
MLCORE_INSTANTIATE_VIEW(double, CsrView<double, std::int64_t>)

}  // namespace mlcore::cluster
