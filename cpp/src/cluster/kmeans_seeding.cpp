#include "cluster/kmeans_seeding.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <unordered_set>
#include <utility>

#include "cluster/assigner.hpp"
#include "cluster/column_moments.hpp"
#include "cluster/packed_centers.hpp"
#include "cluster/sparse_assigner.hpp"
#include "mlcore/base/errors.hpp"
#include "mlcore/cluster/kmeans_init.hpp"
#include "mlcore/runtime/interrupt.hpp"
#include "mlcore/runtime/parallel.hpp"
#include "mlcore/runtime/random.hpp"
#include "mlcore/runtime/threads.hpp"

namespace mlcore::cluster {

namespace {

using runtime::random::Purpose;
using runtime::random::Stream;

/// Squared distances of rows to a few points, a tile at a time.
template <class Source>
class PointDistances;

template <class T>
class PointDistances<DenseRows<T>> {
 public:
  struct Workspace {
    explicit Workspace(const PointDistances& owner)
        : tile({owner.x_.cols, kMaxTilePoints}), distances({owner.count_, kMaxTilePoints}) {}
    Buffer<T> tile, distances;
  };
  PointDistances(const DenseRows<T>& x, const T* offset, Index count)
      : x_(x.view()),
        offset_(offset),
        count_(count),
        kernels_(kmeans_kernels(T{})),
        pack_(count, x.cols(), kernels_.lanes) {}
  Index tile_rows() const noexcept { return kernels_.tile_points; }
  /// Points: count x d, shifted.
  void set_points(const T* points) noexcept { pack_.pack(points); }
  /// Starts to bring rows into the cache; the rest of a long row follows by itself.
  void prefetch(Index start, const std::int32_t* rows, Index count) const noexcept {
    if (!x_.is_row_major()) return;
    const Index bytes = std::min<Index>(x_.cols * static_cast<Index>(sizeof(T)), 512);
    for (Index i = 0; i < count; ++i)
      for (Index line = 0; line < bytes; line += kCacheLine)
        __builtin_prefetch(reinterpret_cast<const char*>(x_.row(start + rows[i])) + line);
  }
  /// distances[r * tile_rows() + i] for rows start + rows[i] (rows null: start + i), count <= tile_rows().
  void measure(Index start, const std::int32_t* rows, Index count, Workspace& w, T* distances) const noexcept {
    kernels_.pack_tile({x_.data, x_.row_stride, x_.col_stride, rows, start, count}, x_.cols, offset_, w.tile.data());
    const PackedCenters<T> centers = pack_.view();
    for (Index g = 0; g < centers.groups; ++g)
      kernels_.tile_distances(w.tile.data(), centers, g, distances + centers.first[g] * kernels_.tile_points);
  }

 private:
  MatrixView<const T> x_;
  const T* offset_;
  Index count_;
  const KMeansKernels<T>& kernels_;
  CenterPack<T> pack_;
};

template <class T, class I>
class PointDistances<CsrRows<T, I>> {
 public:
  struct Workspace {
    explicit Workspace(const PointDistances& owner)
        : scores({owner.columns_.stride()}), distances({owner.count_, kMaxTilePoints}) {}
    Buffer<T> scores, distances;
  };
  PointDistances(const CsrRows<T, I>& x, const T* /*offset: none*/, Index count)
      : x_(x.view()), count_(count), columns_(count, x.cols()), norms_(static_cast<std::size_t>(count)) {}
  Index tile_rows() const noexcept { return kMaxTilePoints; }
  void prefetch(Index, const std::int32_t*, Index) const noexcept {}
  void set_points(const T* points) noexcept {
    columns_.pack(points);
    for (Index r = 0; r < count_; ++r) {
      double norm = 0;
      for (Index j = 0; j < x_.cols; ++j)
        norm += static_cast<double>(points[r * x_.cols + j]) * points[r * x_.cols + j];
      norms_[static_cast<std::size_t>(r)] = norm;
    }
  }
  void measure(Index start, const std::int32_t* rows, Index count, Workspace& w, T* distances) const noexcept {
    for (Index i = 0; i < count; ++i) {
      const Index row = start + (rows != nullptr ? rows[i] : i);
      columns_.scores(x_, row, w.scores.data());
      const double norm = squared_norm(x_, row);
      for (Index r = 0; r < count_; ++r) {
        // |x|^2 + |c|^2 - 2 x.c of equal rows is rounding noise: call it zero.
        const double scale = norm + norms_[static_cast<std::size_t>(r)];
        const double distance = norm - 2.0 * static_cast<double>(w.scores[r]);
        distances[r * kMaxTilePoints + i] =
            distance > 8.0 * std::numeric_limits<T>::epsilon() * scale ? static_cast<T>(distance) : T(0);
      }
    }
  }

 private:
  CsrView<T, I> x_;
  Index count_;
  CenterColumns<T> columns_;
  std::vector<double> norms_;
};

template <class Source>
class PlusPlus {
 public:
  using T = typename Source::Scalar;

  PlusPlus(const Source& x, VectorView<const T> weights, const T* offset, Index k, Index trials, int threads)
      : x_(x),
        weights_(weights),
        offset_(offset),
        k_(k),
        n_(x.rows()),
        d_(x.cols()),
        trials_(trials > 0 ? trials : 2 + static_cast<Index>(std::log(static_cast<double>(k)))),
        threads_(threads),
        blocks_(ceil_div(n_, kBlockRows)),
        units_(runtime::partial_count(blocks_)),
        nearest_(Buffer<std::int32_t>::zeros({n_})),
        distance_({n_}),
        block_potential_({blocks_}),
        measured_({blocks_, kBlockRows, trials_}),
        chosen_({k, d_}),
        candidates_({trials_, d_}),
        threshold_({trials_, k}),
        least_threshold_({k}),
        gains_(Buffer<double>::zeros({units_, trials_})),
        trial_distances_(x, offset, trials_),
        one_distance_(x, offset, 1) {
    for (int m = 0; m < threads; ++m) workspaces_.push_back(std::make_unique<Workspace>(*this));
  }

  std::vector<Index> choose(Stream& stream) {
    rows_.push_back(first_row(stream));
    shifted_row(rows_[0], chosen_.data());
    take_all();
    std::vector<Index> drawn(static_cast<std::size_t>(trials_));
    for (Index step = 1; step < k_; ++step) {
      interrupt_.poll();
      const double potential = total_potential();
      if (!(potential > 0)) {  // every row equals a chosen one
        take(lowest_unchosen(), step);
        continue;
      }
      for (Index t = 0; t < trials_; ++t) {
        drawn[static_cast<std::size_t>(t)] = row_at(stream.uniform() * potential);
        shifted_row(drawn[static_cast<std::size_t>(t)], candidates_.data() + t * d_);
      }
      const Index best = best_candidate(step);
      std::copy_n(candidates_.data() + best * d_, d_, chosen_.data() + step * d_);
      rows_.push_back(drawn[static_cast<std::size_t>(best)]);
      take_rows(static_cast<std::int32_t>(step), best);
    }
    return std::move(rows_);
  }

 private:
  struct Workspace {
    explicit Workspace(const PlusPlus& owner)
        : trial(owner.trial_distances_),
          one(owner.one_distance_),
          rows({kBlockRows + kSelectSlack}),
          current(kMaxTilePoints),
          weights(kMaxTilePoints) {}
    typename PointDistances<Source>::Workspace trial, one;
    Buffer<std::int32_t> rows;
    Buffer<T> current, weights;
  };

  double weight(Index row) const noexcept { return weights_.empty() ? 1.0 : static_cast<double>(weights_[row]); }

  Index first_row(Stream& stream) const {
    if (weights_.empty()) return stream.index(n_);
    return runtime::random::WeightedChoice(weights_)(stream);
  }

  void shifted_row(Index row, T* out) const noexcept {
    x_.write_row(row, out);
    for (Index j = 0; j < d_; ++j) out[j] -= offset_[j];
  }

  void take(Index row, Index step) noexcept {
    rows_.push_back(row);
    shifted_row(row, chosen_.data() + step * d_);
  }

  Index lowest_unchosen() const {
    const std::unordered_set<Index> taken(rows_.begin(), rows_.end());
    Index fallback = 0;
    for (Index i = n_ - 1; i >= 0; --i)
      if (taken.count(i) == 0) {
        fallback = i;
      }
    for (Index i = 0; i < n_; ++i)
      if (taken.count(i) == 0 && weight(i) > 0) return i;
    return fallback;
  }

  double total_potential() const noexcept {
    double total = 0;
    for (Index b = 0; b < blocks_; ++b) total += block_potential_[b];
    return total;
  }

  Index row_at(double target) const noexcept {
    Index block = 0;
    while (block + 1 < blocks_ && target >= block_potential_[block]) target -= block_potential_[block++];
    const Index first = block * kBlockRows, last = std::min(n_, first + kBlockRows);
    Index found = -1;
    for (Index i = first; i < last; ++i) {
      const double mass = weight(i) * static_cast<double>(distance_[i]);
      if (!(mass > 0)) continue;
      found = i;
      if (target < mass) return i;
      target -= mass;
    }
    if (found >= 0) return found;
    for (Index i = n_ - 1; i > 0; --i)  // rounding ran past the end of the mass
      if (weight(i) * static_cast<double>(distance_[i]) > 0) return i;
    return 0;
  }

  // threshold_[t][a] = |c_t - a|^2 / 4: a row of chosen centre a with D below it is nearer to a than to c_t.
  void set_thresholds(Index step) noexcept {
    const KMeansKernels<T>& kernels = kmeans_kernels(T{});
    constexpr double kSafe = 0.25 * (1.0 - 16.0 * std::numeric_limits<T>::epsilon());
    for (Index a = 0; a < step; ++a) {
      double least = std::numeric_limits<double>::infinity();
      for (Index t = 0; t < trials_; ++t) {
        const double q = kSafe * kernels.squared_distance(candidates_.data() + t * d_, 1, chosen_.data() + a * d_, d_);
        threshold_[t * k_ + a] = static_cast<T>(-q);
        least = std::min(least, q);
      }
      least_threshold_[a] = static_cast<T>(-least);
    }
  }

  Index best_candidate(Index step) {
    set_thresholds(step);
    trial_distances_.set_points(candidates_.data());
    const KMeansKernels<T>& kernels = kmeans_kernels(T{});
    const Index tile = trial_distances_.tile_rows();
    runtime::parallel_team(threads_, [&](runtime::Team& team) {
      team.for_each(units_, [&](Index u) {
        Workspace& w = *workspaces_[static_cast<std::size_t>(team.member())];
        double* gain = gains_.data() + u * trials_;
        std::fill(gain, gain + trials_, 0.0);
        const auto [first_block, last_block] = runtime::partial_range(blocks_, units_, u);
        for (Index b = first_block; b < last_block; ++b) {
          const Index first = b * kBlockRows, count = std::min(kBlockRows, n_ - first);
          const Index open = kernels.select_unsafe(distance_.data() + first, nearest_.data() + first,
                                                   least_threshold_.data(), count, w.rows.data());
          for (Index i = 0; i < open; i += tile) {
            const Index rows = std::min(tile, open - i);
            if (i + tile < open)
              trial_distances_.prefetch(first, w.rows.data() + i + tile, std::min(tile, open - i - tile));
            T* measured = measured_.data() + (first + i) * trials_;
            trial_distances_.measure(first, w.rows.data() + i, rows, w.trial, measured);
            for (Index p = 0; p < rows; ++p) {
              const Index row = first + w.rows[i + p];
              w.current[p] = distance_[row];
              if (!weights_.empty()) w.weights[p] = weights_[row];
            }
            kernels.add_gains(measured, tile, w.current.data(), weights_.empty() ? nullptr : w.weights.data(), rows,
                              trials_, gain);
          }
        }
      });
    });
    Index best = 0;
    double most = -1;
    for (Index t = 0; t < trials_; ++t) {
      double total = 0;
      for (Index u = 0; u < units_; ++u) total += gains_[u * trials_ + t];
      if (total > most) {
        most = total;
        best = t;
      }
    }
    return best;
  }

  // The first chosen row takes all rows.
  void take_all() {
    one_distance_.set_points(chosen_.data());
    const Index tile = one_distance_.tile_rows();
    for_each_block([&](Index b, Index first, Index count, Workspace& w) {
      for (Index i = 0; i < count; i += tile) {
        const Index rows = std::min(tile, count - i);
        one_distance_.measure(first + i, nullptr, rows, w.one, w.one.distances.data());
        std::copy_n(w.one.distances.data(), rows, distance_.data() + first + i);
      }
      block_potential_[b] = potential_of(first, count);
    });
  }

  // Candidate `best` of the last best_candidate() becomes the chosen row number `step` and takes its rows. What it can
  // take has been measured already: least_threshold_ still opens the same rows in the same order.
  void take_rows(std::int32_t step, Index best) {
    const KMeansKernels<T>& kernels = kmeans_kernels(T{});
    const Index tile = trial_distances_.tile_rows();
    for_each_block([&](Index b, Index first, Index count, Workspace& w) {
      const Index open = kernels.select_unsafe(distance_.data() + first, nearest_.data() + first,
                                               least_threshold_.data(), count, w.rows.data());
      bool changed = false;
      for (Index i = 0; i < open; i += tile) {
        const T* measured = measured_.data() + (first + i) * trials_ + best * tile;
        for (Index p = 0; p < std::min(tile, open - i); ++p) {
          const Index row = first + w.rows[i + p];
          if (measured[p] < distance_[row]) {
            distance_[row] = measured[p];
            nearest_[row] = step;
            changed = true;
          }
        }
      }
      if (changed) block_potential_[b] = potential_of(first, count);
    });
  }

  // fn(block, first row, rows, workspace), in parallel.
  template <class Fn>
  void for_each_block(Fn&& fn) {
    runtime::parallel_team(threads_, [&](runtime::Team& team) {
      team.for_each(units_, [&](Index u) {
        Workspace& w = *workspaces_[static_cast<std::size_t>(team.member())];
        const auto [first_block, last_block] = runtime::partial_range(blocks_, units_, u);
        for (Index b = first_block; b < last_block; ++b)
          fn(b, b * kBlockRows, std::min(kBlockRows, n_ - b * kBlockRows), w);
      });
    });
  }

  double potential_of(Index first, Index count) const noexcept {
    double parts[8] = {};  // independent chains of additions
    for (Index i = 0; i < count; ++i)
      parts[i & 7] += weights_.empty() ? static_cast<double>(distance_[first + i])
                                       : weight(first + i) * static_cast<double>(distance_[first + i]);
    return ((parts[0] + parts[1]) + (parts[2] + parts[3])) + ((parts[4] + parts[5]) + (parts[6] + parts[7]));
  }

  const Source& x_;
  VectorView<const T> weights_;
  const T* offset_;
  Index k_, n_, d_, trials_;
  int threads_;
  Index blocks_, units_;
  Buffer<std::int32_t> nearest_;
  Buffer<T> distance_;
  Buffer<double> block_potential_;
  Buffer<T> measured_;  ///< distances of the open rows to the candidates, tile by tile
  Buffer<T> chosen_, candidates_, threshold_, least_threshold_;
  Buffer<double> gains_;
  PointDistances<Source> trial_distances_, one_distance_;
  std::vector<std::unique_ptr<Workspace>> workspaces_;
  std::vector<Index> rows_;
  runtime::Interrupt interrupt_;
};

}  // namespace

template <class Source>
std::vector<Index> kmeans_plusplus(const Source& x, VectorView<const typename Source::Scalar> weights,
                                   const typename Source::Scalar* offset, Index k, Index trials, std::uint64_t seed,
                                   std::uint64_t restart, int threads) {
  Stream stream(seed, Purpose::kSeeding, static_cast<Index>(restart));
  return PlusPlus<Source>(x, weights, offset, k, trials, threads).choose(stream);
}

template <class Source>
std::vector<Index> random_rows(const Source& x, VectorView<const typename Source::Scalar> weights, Index k,
                               std::uint64_t seed, std::uint64_t restart) {
  Stream stream(seed, Purpose::kSeeding, static_cast<Index>(restart));
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

template <class Source>
void kmeans_parallel_init(const Source& x, VectorView<const typename Source::Scalar> weights,
                          const typename Source::Scalar* offset, Index k, std::uint64_t seed, std::uint64_t restart,
                          int threads, typename Source::Scalar* centers) {
  using T = typename Source::Scalar;
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
      PlusPlus<DenseRows<T>>(sample_rows, {mass.data(), m}, offset, k, 0, 1).choose(second);
  for (Index c = 0; c < k; ++c)
    std::copy_n(sample.data() + chosen[static_cast<std::size_t>(c)] * d, d, centers + c * d);
}

#define MLCORE_INSTANTIATE_SOURCE(...)                                                                               \
  template std::vector<Index> kmeans_plusplus(const __VA_ARGS__&, VectorView<const typename __VA_ARGS__::Scalar>,    \
                                              const typename __VA_ARGS__::Scalar*, Index, Index, std::uint64_t,      \
                                              std::uint64_t, int);                                                   \
  template std::vector<Index> random_rows(const __VA_ARGS__&, VectorView<const typename __VA_ARGS__::Scalar>, Index, \
                                          std::uint64_t, std::uint64_t);                                             \
  template void kmeans_parallel_init(const __VA_ARGS__&, VectorView<const typename __VA_ARGS__::Scalar>,             \
                                     const typename __VA_ARGS__::Scalar*, Index, std::uint64_t, std::uint64_t, int,  \
                                     typename __VA_ARGS__::Scalar*);
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
                            Index trials, std::uint64_t seed, int n_jobs) {
  const SeedingCall<Source> call(x, weights, clusters, n_jobs);
  const std::vector<Index> rows =
      kmeans_plusplus(x, weights, call.offset.data(), clusters, trials, seed, 0, call.threads);
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

template <class T>
void kmeans_finish(const MatrixView<const double>& sums, VectorView<const double> weights,
                   const MatrixView<const T>& centers, T* means) {
  for (Index c = 0; c < sums.rows; ++c)
    for (Index j = 0; j < sums.cols; ++j)
      means[c * sums.cols + j] = weights[c] > 0 ? static_cast<T>(sums(c, j) / weights[c]) : centers(c, j);
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
template void kmeans_finish(const MatrixView<const double>&, VectorView<const double>, const MatrixView<const float>&,
                            float*);
template void kmeans_finish(const MatrixView<const double>&, VectorView<const double>, const MatrixView<const double>&,
                            double*);

}  // namespace mlcore::cluster
