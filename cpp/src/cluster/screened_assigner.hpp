// lloyd on dense float32 rows where products in bfloat16 cost next to nothing (kmeans_screen.kernels.hpp): one pass of
// rounded scores leaves most rows with a single possible centre; the others are decided by exact scores of their few
// hits. The labels are those of the dense tiles, bit for bit, ties included.
#pragma once
#include <algorithm>
#include <limits>
#include <vector>

#include "cluster/assigner.hpp"
#include "cluster/kmeans_tables.hpp"
#include "cluster/packed_centers.hpp"
#include "cluster/screen_bound.hpp"

namespace mlcore::cluster {

/// Owner of the centres in bfloat16.
class ScreenPack {
 public:
  ScreenPack(Index k, Index d)
      : k_(k),
        d_(d),
        groups_(2 * ceil_div(k, 2 * kScreenCenters)),
        chunks_(ceil_div(d, kScreenCoordinates)),
        panels_(Buffer<std::uint16_t>::zeros({groups_, chunks_, kScreenCenters * kScreenCoordinates})),
        starts_({groups_, kScreenCenters, kLanes}) {}

  /// `centers` in the order of the user's indices.
  void pack(const PackedCenters<float>& centers) noexcept {
    LargestLengths lengths;
    for (Index c = 0; c < groups_ * kScreenCenters; ++c) {
      const float start = c < k_ ? -centers.half_norms[c] : -std::numeric_limits<float>::infinity();
      std::fill_n(starts_.data() + c * kLanes, kLanes, start);
      if (c >= k_) continue;
      const float* center = centers.rows + c * centers.row_length;
      lengths.add(center, d_);
      for (Index j = 0; j < d_; ++j)
        panels_[((c / kScreenCenters * chunks_ + j / kScreenCoordinates) * kScreenCenters + c % kScreenCenters) *
                    kScreenCoordinates +
                j % kScreenCoordinates] = nearest_bfloat16(center[j]);
    }
    bound_ = lengths.bound(d_);
  }

  ScreenCenters view() const noexcept {
    return {panels_.data(),     starts_.data(), k_, groups_, chunks_, d_, bound_.by_length,
            bound_.by_rounding, bound_.constant};
  }
  Index padded() const noexcept { return groups_ * kScreenCenters; }
  Index chunks() const noexcept { return chunks_; }

 private:
  static constexpr Index kLanes = 16;

  Index k_, d_, groups_, chunks_;
  Buffer<std::uint16_t> panels_;
  Buffer<float> starts_;
  ScreenBound bound_;
};

class ScreenedAssigner final : public Assigner<float> {
 public:
  /// `bounds`: hamerly, otherwise lloyd. `amx`: on the matrix unit.
  ScreenedAssigner(const MatrixView<const float>& x, const float* offset, Index k, std::int32_t* labels, int members,
                   bool bounds, bool amx)
      : x_(x),
        offset_(offset),
        kernels_(kmeans_kernels(0.0f)),
        screen_(screen_kernels()),
        labels_(labels),
        bounds_(bounds),
        amx_(amx),
        pack_(k, x.cols, kernels_.lanes),
        screened_(k, x.cols),
        ledger_(k),
        margin_(x.cols),
        zeros_(Buffer<float>::zeros({x.cols})) {
    if (bounds_) gap_ = Buffer<float>({x.rows});
    for (int m = 0; m < members; ++m) workspaces_.emplace_back(x.cols, kernels_.tile_points, screened_);
  }

  void centers_moved(const float* centers, const double* drift) override {
    pack_.pack(centers);
    screened_.pack(pack_.view());
    first_step_ = drift == nullptr;
    if (drift != nullptr) ledger_.add(drift);
  }

  void assign(Index first, Index last, int member, ChangeList& changes) noexcept override {
    Workspace& w = workspaces_[static_cast<std::size_t>(member)];
    if (!bounds_ || first_step_) {
      score({x_.data, x_.row_stride, x_.col_stride, nullptr, first, last - first}, w);
    } else {
      const Index unsafe = kernels_.select_unsafe(gap_.data() + first, labels_ + first, ledger_.allowance(),
                                                  last - first, w.rows.data());
      if (unsafe == 0) return;
      score({x_.data, x_.row_stride, x_.col_stride, w.rows.data(), first, unsafe}, w);
      last = first + unsafe;
    }
    const bool all = !bounds_ || first_step_;
    for (Index i = 0; i < last - first; ++i) {
      const Index row = first + (all ? i : w.rows[i]);
      const std::int32_t to = w.label[i];  // positions are ids here: the order is never changed
      if (labels_[row] != to) {
        changes.add(row, labels_[row], to);
        labels_[row] = to;
      }
      if (bounds_) gap_[row] = ledger_.stored_gap(w.upper[i], w.lower[i], to);
    }
  }

 private:
  static constexpr Index kTrialRows = 64;
  static constexpr Index kMaxHits = 8;  ///< of a row; with more it is scored against all centres

  // Arrays of kBlockRows are indexed by the place of a row in the set that is scored.
  struct Workspace {
    Workspace(Index d, Index points, const ScreenPack& screened)
        : tile({d, points}),
          other({d, points}),
          scores({screened.padded(), points}),
          score(kMaxTilePoints),
          half_norms(kMaxTilePoints),
          best(kBlockRows + kMaxTilePoints),
          second(kBlockRows + kMaxTilePoints),
          norms(kBlockRows + kMaxTilePoints),
          upper(kBlockRows),
          lower(kBlockRows),
          rounded({screened.chunks(), kScreenCoordinates / 2, points}),
          hits(screened.padded()),
          points(screened.padded() + 16),
          center(screened.padded() + 16),
          position(kMaxTilePoints),
          rows(kBlockRows + kSelectSlack),
          label(kBlockRows),
          undecided(kBlockRows),
          pair_place(kBlockRows * kMaxHits),
          pair_center(kBlockRows * kMaxHits),
          numbers(kMaxTilePoints) {}
    Buffer<float> tile, other, scores, score, half_norms, best, second, norms, upper, lower;
    Buffer<std::uint32_t> rounded, hits, points;
    Buffer<std::int32_t> center, position, rows, label, undecided, pair_place, pair_center, numbers;
    Index pairs = 0, open = 0;
  };

  // Labels of a set of at most kBlockRows rows; with bounds, their distances' bounds too.
  void score(const RowSet<float>& set, Workspace& w) noexcept {
    w.pairs = w.open = 0;
    if (amx_) screen_.begin_amx();
    const Index tile = kernels_.tile_points;
    Index from = 0;
    for (; from < set.count; from += tile) {
      // Where most rows keep many hits, as in data far from the origin with little spread, exact scores are cheaper.
      if (from == kTrialRows && 2 * w.open > kTrialRows) break;
      screen_rows(set, from, w);
    }
    if (amx_) screen_.end_amx();
    for (; from < set.count; ++from) w.undecided[w.open++] = static_cast<std::int32_t>(from);
    decide_pairs(set, w);
    score_fully(set, w);
    if (!bounds_) return;
    const float largest = static_cast<float>(pack_.largest_squared_norm());
    const float relative = static_cast<float>(margin_.relative);
    kernels_.upper_bounds(w.best.data(), w.norms.data(), set.count, relative, largest, w.upper.data());
    kernels_.lower_bounds(w.second.data(), w.norms.data(), set.count, relative, largest, 0.0f, w.lower.data());
  }

  // Rows from, from + 1, ... of the set: those with one hit are decided, those with few become pairs, others stay open.
  void screen_rows(const RowSet<float>& set, Index from, Workspace& w) noexcept {
    const Index count = std::min(kernels_.tile_points, set.count - from);
    RowSet<float> rows = set;
    rows.count = count;
    if (set.rows != nullptr)
      rows.rows = set.rows + from;
    else
      rows.start = set.start + from;
    kernels_.pack_tile(rows, x_.cols, offset_, w.tile.data());
    if (bounds_) kernels_.tile_norms(w.tile.data(), x_.cols, w.norms.data() + from);
    const ScreenSpace space{w.best.data() + from, bounds_ ? w.second.data() + from : nullptr,
                            w.rounded.data(),     w.scores.data(),
                            w.hits.data(),        w.center.data(),
                            w.points.data()};
    const ScreenCenters centers = screened_.view();
    const Index listed =
        amx_ ? screen_.screen_amx(w.tile.data(), centers, space) : screen_.screen(w.tile.data(), centers, space);
    const std::uint32_t valid = count == 32 ? ~std::uint32_t{0} : (std::uint32_t{1} << count) - 1;
    std::uint32_t once = 0, again = 0;
    std::int32_t hits[kMaxTilePoints] = {};
    for (Index i = 0; i < listed; ++i) {
      again |= once & space.points[i];
      once |= space.points[i];
      for (std::uint32_t left = space.points[i] & valid; left != 0; left &= left - 1) {
        const int p = __builtin_ctz(left);
        w.label[from + p] = space.center[i];
        ++hits[p];
      }
    }
    std::uint32_t few = 0;
    // Rows without any hit cannot be; if they were, they would not get a wrong label.
    for (std::uint32_t left = (again | ~once) & valid; left != 0; left &= left - 1) {
      const int p = __builtin_ctz(left);
      if (hits[p] == 0 || hits[p] > kMaxHits)
        w.undecided[w.open++] = static_cast<std::int32_t>(from + p);
      else
        few |= left & -left;
    }
    if (few == 0) return;
    for (Index i = 0; i < listed; ++i)
      for (std::uint32_t left = space.points[i] & few; left != 0; left &= left - 1) {
        w.pair_place[w.pairs] = static_cast<std::int32_t>(from + __builtin_ctz(left));
        w.pair_center[w.pairs++] = space.center[i];
      }
    // Others than the hits score less than the least that the best can have.
    for (std::uint32_t left = few; left != 0; left &= left - 1) {
      const Index i = from + __builtin_ctz(left);
      if (bounds_) w.second[i] = w.best[i];
      w.best[i] = -std::numeric_limits<float>::infinity();
    }
  }

  // Exact scores of the pairs. Centres of a row come in ascending order: a later one must be better to win.
  void decide_pairs(const RowSet<float>& set, Workspace& w) noexcept {
    const PackedCenters<float> centers = pack_.view();
    for (Index i = 0; i < w.pairs; i += kernels_.tile_points) {
      const Index count = std::min(kernels_.tile_points, w.pairs - i);
      const std::int32_t* place = w.pair_place.data() + i;
      const std::int32_t* center = w.pair_center.data() + i;
      pack_places(set, place, count, w);
      kernels_.pack_tile({centers.rows, centers.row_length, 1, center, 0, count}, x_.cols, zeros_.data(),
                         w.other.data());
      for (Index p = 0; p < count; ++p) w.half_norms[p] = centers.half_norms[center[p]];
      screen_.pair_scores(w.tile.data(), w.other.data(), w.half_norms.data(), x_.cols, w.score.data());
      for (Index p = 0; p < count; ++p) {
        const float score = w.score[p];
        float& best = w.best[place[p]];
        if (bounds_) w.second[place[p]] = std::max(w.second[place[p]], std::min(score, best));
        if (score > best) {
          best = score;
          w.label[place[p]] = center[p];
        }
      }
    }
  }

  // The rows that stayed open, against all centres.
  void score_fully(const RowSet<float>& set, Workspace& w) noexcept {
    const PackedCenters<float> centers = pack_.view();
    for (Index i = 0; i < w.open; i += kernels_.tile_points) {
      const Index count = std::min(kernels_.tile_points, w.open - i);
      const std::int32_t* place = w.undecided.data() + i;
      pack_places(set, place, count, w);
      if (bounds_) {
        float second[kMaxTilePoints], norms[kMaxTilePoints];
        kernels_.nearest_two(w.tile.data(), centers, 0, centers.groups, w.score.data(), w.position.data(), second);
        kernels_.tile_norms(w.tile.data(), x_.cols, norms);
        for (Index p = 0; p < count; ++p) {
          w.best[place[p]] = w.score[p];
          w.second[place[p]] = second[p];
          w.norms[place[p]] = norms[p];
        }
      } else {
        kernels_.nearest(w.tile.data(), centers, 0, centers.groups, w.score.data(), w.position.data());
      }
      for (Index p = 0; p < count; ++p) w.label[place[p]] = w.position[p];
    }
  }

  void pack_places(const RowSet<float>& set, const std::int32_t* place, Index count, Workspace& w) noexcept {
    const std::int32_t* rows = place;
    if (set.rows != nullptr) {
      for (Index p = 0; p < count; ++p) w.numbers[p] = set.rows[place[p]];
      rows = w.numbers.data();
    }
    kernels_.pack_tile({x_.data, x_.row_stride, x_.col_stride, rows, set.start, count}, x_.cols, offset_,
                       w.tile.data());
  }

  MatrixView<const float> x_;
  const float* offset_;
  const KMeansKernels<float>& kernels_;
  const ScreenKernels& screen_;
  std::int32_t* labels_;
  bool bounds_, amx_, first_step_ = true;
  CenterPack<float> pack_;
  ScreenPack screened_;
  DriftLedger<float> ledger_;
  Margin<float> margin_;
  Buffer<float> zeros_, gap_;
  std::vector<Workspace> workspaces_;
};

}  // namespace mlcore::cluster
