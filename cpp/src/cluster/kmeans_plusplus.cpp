// Greedy k-means++: see kmeans_seeding.hpp.
#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <type_traits>
#include <unordered_set>
#include <utility>
#include <vector>

#include "cluster/assigner.hpp"
#include "cluster/candidate_screen.hpp"
#include "cluster/kmeans_seeding.hpp"
#include "cluster/point_distances.hpp"
#include "mlcore/runtime/interrupt.hpp"
#include "mlcore/runtime/parallel.hpp"
#include "mlcore/runtime/random.hpp"

namespace mlcore::cluster {

namespace {

using runtime::random::Stream;

template <class Source>
class PlusPlus {
 public:
  using T = typename Source::Scalar;
  using Screen = std::conditional_t<std::is_same_v<Source, DenseRows<float>>, CandidateScreen, NoScreen>;

  PlusPlus(const Source& x, VectorView<const T> weights, const T* offset, Index k, Index trials, int threads,
           Screening screening)
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
        open_({blocks_, kListed}),
        open_count_({blocks_}),
        chosen_({k, d_}),
        candidates_({trials_, d_}),
        threshold_({trials_, k}),
        least_threshold_({k}),
        gains_(Buffer<double>::zeros({units_, trials_})),
        trial_distances_(x, offset, trials_),
        one_distance_(x, offset, 1),
        screen_(x.view(), offset, trials_,
                screening == Screening::kChosen && k < kLeastSteps ? Screening::kNever : screening) {
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
          screen(owner.screen_),
          current(kMaxTilePoints),
          weights(kMaxTilePoints) {}
    typename PointDistances<Source>::Workspace trial, one;
    typename Screen::Workspace screen;
    Buffer<T> current, weights;
  };

  static constexpr Index kTilesAhead = 4;
  static constexpr Index kLeastSteps = 16;  // in the first steps most rows change: screening comes on top
  static constexpr Index kListed = kBlockRows + kSelectSlack;

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

  const std::int32_t* open_rows(Index b) const noexcept { return open_.data() + b * kListed; }

  // Lists the rows of block b that some candidate may take.
  void list_open(Index b, Workspace& w) noexcept {
    const Index first = b * kBlockRows, count = std::min(kBlockRows, n_ - first);
    std::int32_t* rows = open_.data() + b * kListed;
    Index open =
        kmeans_kernels(T{}).select_unsafe(distance_.data() + first, nearest_.data() + first, least_threshold_.data(),
                                          count, screen_.on() ? w.screen.listed.data() : rows);
    if (screen_.on()) open = screen_.filter(first, open, count, distance_.data(), w.screen, rows);
    open_count_[b] = open;
  }

  Index best_candidate(Index step) {
    set_thresholds(step);
    trial_distances_.set_points(candidates_.data());
    if (screen_.on()) screen_.set_candidates(candidates_.data());
    const KMeansKernels<T>& kernels = kmeans_kernels(T{});
    const Index tile = trial_distances_.tile_rows();
    runtime::parallel_team(threads_, [&](runtime::Team& team) {
      team.for_each(units_, [&](Index u) {
        Workspace& w = *workspaces_[static_cast<std::size_t>(team.member())];
        double* gain = gains_.data() + u * trials_;
        std::fill(gain, gain + trials_, 0.0);
        const auto [first_block, last_block] = runtime::partial_range(blocks_, units_, u);
        if (first_block < last_block) list_open(first_block, w);
        for (Index b = first_block; b < last_block; ++b) {
          if (b + 1 < last_block) list_open(b + 1, w);
          const Index first = b * kBlockRows, open = open_count_[b];
          const Index next_open = b + 1 < last_block ? open_count_[b + 1] : 0;
          const std::int32_t *listed = open_rows(b), *next_listed = open_rows(b + 1);
          for (Index i = 0; i < open; i += tile) {
            const Index rows = std::min(tile, open - i);
            // Rows come from memory and take longer than a tile does: those of a few tiles on, or of the next block.
            const Index ahead = i + kTilesAhead * tile;
            if (ahead < open)
              trial_distances_.prefetch(first, listed + ahead, std::min(tile, open - ahead));
            else if (ahead < open + next_open)
              trial_distances_.prefetch(first + kBlockRows, next_listed + (ahead - open),
                                        std::min(tile, open + next_open - ahead));
            T* measured = measured_.data() + (first + i) * trials_;
            trial_distances_.measure(first, listed + i, rows, w.trial, measured);
            for (Index p = 0; p < rows; ++p) {
              const Index row = first + listed[i + p];
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
        if constexpr (Source::kShifted)
          if (screen_.on()) screen_.keep_lengths(w.one.tile.data(), first + i, rows);
      }
      block_potential_[b] = potential_of(first, count);
    });
  }

  // Candidate `best` of the last best_candidate() becomes the chosen row number `step` and takes its rows. What it can
  // take has been measured already.
  void take_rows(std::int32_t step, Index best) {
    const Index tile = trial_distances_.tile_rows();
    for_each_block([&](Index b, Index first, Index count, Workspace&) {
      const Index open = open_count_[b];
      const std::int32_t* listed = open_rows(b);
      bool changed = false;
      for (Index i = 0; i < open; i += tile) {
        const T* measured = measured_.data() + (first + i) * trials_ + best * tile;
        const char* ahead = reinterpret_cast<const char*>(measured + kTilesAhead * tile * trials_);
        __builtin_prefetch(ahead);
        __builtin_prefetch(ahead + kCacheLine);
        for (Index p = 0; p < std::min(tile, open - i); ++p) {
          const Index row = first + listed[i + p];
          const T now = distance_[row], offered = measured[p];
          const bool taken = offered < now;  // hard to foresee: stores without a branch
          distance_[row] = taken ? offered : now;
          nearest_[row] = taken ? step : nearest_[row];
          changed |= taken;
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
  Buffer<std::int32_t> open_;
  Buffer<Index> open_count_;
  Buffer<T> chosen_, candidates_, threshold_, least_threshold_;
  Buffer<double> gains_;
  PointDistances<Source> trial_distances_, one_distance_;
  Screen screen_;
  std::vector<std::unique_ptr<Workspace>> workspaces_;
  std::vector<Index> rows_;
  runtime::Interrupt interrupt_;
};

}  // namespace

template <class Source>
std::vector<Index> kmeans_plusplus(const Source& x, VectorView<const typename Source::Scalar> weights,
                                   const typename Source::Scalar* offset, Index k, Index trials,
                                   runtime::random::Stream& stream, int threads, Screening screening) {
  return PlusPlus<Source>(x, without_constant(weights), offset, k, trials, threads, screening).choose(stream);
}

#define MLCORE_INSTANTIATE_SOURCE(...)                                                                            \
  template std::vector<Index> kmeans_plusplus(const __VA_ARGS__&, VectorView<const typename __VA_ARGS__::Scalar>, \
                                              const typename __VA_ARGS__::Scalar*, Index, Index,                  \
                                              runtime::random::Stream&, int, Screening);
MLCORE_INSTANTIATE_SOURCE(DenseRows<float>)
MLCORE_INSTANTIATE_SOURCE(DenseRows<double>)
MLCORE_INSTANTIATE_SOURCE(CsrRows<float, std::int32_t>)
MLCORE_INSTANTIATE_SOURCE(CsrRows<float, std::int64_t>)
MLCORE_INSTANTIATE_SOURCE(CsrRows<double, std::int32_t>)
MLCORE_INSTANTIATE_SOURCE(CsrRows<double, std::int64_t>)

}  // namespace mlcore::cluster
