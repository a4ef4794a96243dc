// yinyang and elkan on dense rows: a lower bound for each row and group of centres (Ding et al. 2015), at most
// kMaxBoundGroups of them; elkan adds the distances between centres (Elkan 2003, lemma 1): a centre at 2 u or more from
// the own centre cannot be nearer.
//
// A step goes from cheap to dear: the stored gap; the group bounds with a loose upper bound; the row's exact distance
// to its own centre; and only then the groups whose bound fails, gathered group by group so that the centres stay in
// the first cache. Where nearly all groups fail, as in the first steps, rows go through the dense tiles instead.
//
// Two kinds of groups: "kernel groups" of the pack (register tiles), and "bound groups", runs of kernel groups.
#pragma once
#include <limits>
#include <vector>

#include "cluster/assigner.hpp"
#include "cluster/center_groups.hpp"
#include "cluster/packed_centers.hpp"

namespace mlcore::cluster {

template <class T>
class GroupAssigner final : public Assigner<T> {
 public:
  GroupAssigner(const MatrixView<const T>& x, const T* offset, Index k, std::int32_t* labels, int members,
                bool center_distances)
      : x_(x),
        offset_(offset),
        kernels_(kmeans_kernels(T{})),
        labels_(labels),
        k_(k),
        center_distances_(center_distances),
        pack_(k, x.cols, kernels_.lanes,
              std::clamp<Index>(ceil_div(k, kMaxBoundGroups), std::min<Index>(k, 2), kGroupCenters)),
        bounds_(std::min(kMaxBoundGroups, pack_.groups())),
        ledger_(k),
        margin_(x.cols),
        position_of_(static_cast<std::size_t>(k)),
        group_of_(static_cast<std::size_t>(k)),
        group_drift_(static_cast<std::size_t>(bounds_), 0.0),
        group_drift_up_(Buffer<T>::zeros({bounds_})),
        own_drift_up_(Buffer<T>::zeros({k})),
        own_drift_down_(Buffer<T>::zeros({k})),
        gap_({x.rows}),
        upper_({x.rows}),
        lower_({x.rows, bounds_}),
        stride_(bounds_) {
    if (center_distances_) {
      half_nearest_ = Buffer<T>({k});
      to_group_ = Buffer<T>({k, bounds_});
    }
    for (int m = 0; m < members; ++m)
      workspaces_.emplace_back(x.cols, pack_.row_length(), bounds_, kernels_.tile_points);
  }

  void centers_moved(const T* centers, const double* drift) override {
    first_step_ = drift == nullptr;
    if (first_step_) {
      pack_.set_order(spatial_order(centers, k_, x_.cols, pack_));
      for (Index g = 0; g < bounds_; ++g)
        for (Index p = first_position(g); p < first_position(g + 1); ++p) {
          position_of_[static_cast<std::size_t>(pack_.id(p))] = static_cast<std::int32_t>(p);
          group_of_[static_cast<std::size_t>(pack_.id(p))] = static_cast<std::int32_t>(g);
        }
    } else {
      ledger_.add(drift);
      std::vector<double> largest(static_cast<std::size_t>(bounds_), 0.0);
      for (Index c = 0; c < k_; ++c) {
        double& d = largest[static_cast<std::size_t>(group_of(static_cast<std::int32_t>(c)))];
        d = std::max(d, drift[c]);
      }
      for (Index g = 0; g < bounds_; ++g) {
        group_drift_[static_cast<std::size_t>(g)] += largest[static_cast<std::size_t>(g)];
        group_drift_up_[g] = Margin<T>::nudge_up(group_drift_[static_cast<std::size_t>(g)]);
      }
      double longest = 0;
      for (Index c = 0; c < k_; ++c) {
        const double own = ledger_.own(static_cast<std::int32_t>(c));
        longest = std::max(longest, own);
        own_drift_up_[c] = Margin<T>::nudge_up(own);
        own_drift_down_[c] = Margin<T>::nudge_down(own);
      }
      slack_ = static_cast<T>(4.0 * std::numeric_limits<T>::epsilon() * longest);
    }
    pack_.pack(centers);
    if (center_distances_) measure_centers();
  }

  void assign(Index first, Index last, int member, ChangeList& changes) noexcept override {
    Workspace& w = workspaces_[static_cast<std::size_t>(member)];
    if (first_step_) {
      for (Index row = first; row < last; row += kernels_.tile_points)
        score_tile({x_.data, x_.row_stride, x_.col_stride, nullptr, row, std::min(kernels_.tile_points, last - row)}, w,
                   changes);
      return;
    }
    const Index unsafe =
        kernels_.select_unsafe(gap_.data() + first, labels_ + first, ledger_.allowance(), last - first, w.rows.data());
    w.pending = 0;
    for (Index i = 0; i < unsafe; ++i) {
      const Index row = first + w.rows[i];
      const std::int32_t own = labels_[row];
      const T u = upper_now(row, own), l = least_lower(row);
      if (u < l) {
        gap_[row] = ledger_.stored_gap(u, l, own);
        continue;
      }
      if (center_distances_ && u < half_nearest_[own]) continue;
      if (x_.is_row_major())
        for (Index line = 0; line < kPrefetchBytes; line += kCacheLine)
          __builtin_prefetch(reinterpret_cast<const char*>(x_.row(row)) + line);
      w.batch[w.pending++] = static_cast<std::int32_t>(row - first);
      if (w.pending == kBatch) flush(first, w, changes);
    }
    if (w.pending > 0) flush(first, w, changes);
  }

 private:
  static constexpr Index kBatch = 64;
  static constexpr Index kPrefetchBytes = 512;  // the rest of a long row follows by itself

  struct Workspace {
    Workspace(Index d, Index row_length, Index bounds, Index points)
        : tile({d, kMaxTilePoints}),
          best({bounds, points}),
          second({bounds, points}),
          norms(points),
          score(points),
          upper(points),
          lower(points),
          least(points),
          position({bounds, points}),
          best_group(points),
          rows(kBlockRows + kSelectSlack),
          batch(kBatch),
          failing(bounds),
          copied({kBatch, row_length}),
          scores({kBatch, kGroupCenters}),
          list({bounds, kBatch}),
          listed(bounds),
          row(kBatch) {}
    struct Row {
      double norm, own_score, best_score;
      T upper;
      std::int32_t own, best;
    };
    Buffer<T> tile, best, second, norms, score, upper, lower, least;
    Buffer<std::int32_t> position, best_group, rows, batch, failing;
    Buffer<T> copied, scores;
    Buffer<std::int32_t> list;
    Buffer<Index> listed;
    Buffer<Row> row;
    Index pending = 0;
  };

  // Kernel groups of bound group g, and its first position.
  Index first_kernel_group(Index g) const noexcept { return pack_.groups() * g / bounds_; }
  Index first_position(Index g) const noexcept { return pack_.first(first_kernel_group(g)); }
  std::int32_t group_of(std::int32_t c) const noexcept { return group_of_[static_cast<std::size_t>(c)]; }

  T lower_now(Index row, Index g) const noexcept { return lower_[row * stride_ + g] - group_drift_up_[g]; }
  // Sums in T may be off by half an ULP of the larger operand: `slack_` covers it.
  T least_lower(Index row) const noexcept {
    std::int32_t none[1];
    T least;
    kernels_.failing_groups(lower_.data() + row * stride_, group_drift_up_.data(), bounds_,
                            -std::numeric_limits<T>::infinity(), none, &least);
    return least - slack_;
  }
  T upper_now(Index row, std::int32_t own) const noexcept { return upper_[row] + own_drift_up_[own]; }
  void set_lower(Index row, Index g, T l) noexcept { lower_[row * stride_ + g] = l + group_drift_up_[g] - slack_; }
  void set_upper(Index row, T u, std::int32_t own) noexcept { upper_[row] = u - own_drift_down_[own] + slack_; }

  void take(Index row, std::int32_t to, ChangeList& changes) noexcept {
    if (labels_[row] == to) return;
    changes.add(row, labels_[row], to);
    labels_[row] = to;
  }

  // All groups, dense: the first step, and rows for which bounds are of no use yet.
  void score_tile(const RowSet<T>& set, Workspace& w, ChangeList& changes) noexcept {
    const Index points = kernels_.tile_points;
    kernels_.pack_tile(set, x_.cols, offset_, w.tile.data());
    kernels_.tile_norms(w.tile.data(), x_.cols, w.norms.data());
    const PackedCenters<T> centers = pack_.view();
    for (Index g = 0; g < bounds_; ++g)
      kernels_.nearest_two(w.tile.data(), centers, first_kernel_group(g), first_kernel_group(g + 1),
                           w.best.data() + g * points, w.position.data() + g * points, w.second.data() + g * points);
    const T largest = static_cast<T>(pack_.largest_squared_norm()), relative = static_cast<T>(margin_.relative);
    // best_group[p] by score, then by id.
    for (Index p = 0; p < set.count; ++p) w.best_group[p] = 0;
    for (Index g = 1; g < bounds_; ++g)
      for (Index p = 0; p < set.count; ++p) {
        const T score = w.best[g * points + p], leader = w.best[w.best_group[p] * points + p];
        if (score > leader || (score == leader && pack_.id(w.position[g * points + p]) <
                                                      pack_.id(w.position[w.best_group[p] * points + p])))
          w.best_group[p] = static_cast<std::int32_t>(g);
      }
    for (Index p = 0; p < set.count; ++p) w.score[p] = w.best[w.best_group[p] * points + p];
    kernels_.upper_bounds(w.score.data(), w.norms.data(), points, relative, largest, w.upper.data());
    for (Index p = 0; p < set.count; ++p) {  // the group of the best keeps its runner-up
      const Index at = w.best_group[p] * points + p;
      w.best[at] = w.second[at];
      w.least[p] = std::numeric_limits<T>::infinity();
    }
    for (Index g = 0; g < bounds_; ++g) {
      kernels_.lower_bounds(w.best.data() + g * points, w.norms.data(), points, relative, largest, T(0),
                            w.lower.data());
      for (Index p = 0; p < set.count; ++p) {
        const Index row = set.start + (set.rows != nullptr ? set.rows[p] : p);
        set_lower(row, g, w.lower[p]);
        w.least[p] = std::min(w.least[p], w.lower[p]);
      }
    }
    for (Index p = 0; p < set.count; ++p) {
      const Index row = set.start + (set.rows != nullptr ? set.rows[p] : p);
      const std::int32_t to = pack_.id(w.position[w.best_group[p] * points + p]);
      set_upper(row, w.upper[p], to);
      gap_[row] = ledger_.stored_gap(w.upper[p], w.least[p] - slack_, to);
      take(row, to, changes);
    }
  }

  // The rows of the batch: exact own distances, then the groups that may hold a nearer centre.
  void flush(Index first, Workspace& w, ChangeList& changes) noexcept {
    const PackedCenters<T> centers = pack_.view();
    const Index length = pack_.row_length();
    const double largest = pack_.largest_squared_norm();
    kernels_.copy_rows({x_.data, x_.row_stride, x_.col_stride, w.batch.data(), first, w.pending}, x_.cols, length,
                       offset_, w.copied.data());
    for (Index g = 0; g < bounds_; ++g) w.listed[g] = 0;
    Index total = 0, active = 0;
    for (Index b = 0; b < w.pending; ++b) {
      const Index row = first + w.batch[b];
      auto& state = w.row[b];
      T score, norm;
      state.own = state.best = labels_[row];
      kernels_.row_score(w.copied.data() + b * length, centers, position_of_[static_cast<std::size_t>(state.own)],
                         &score, &norm);
      state.norm = norm;
      state.own_score = state.best_score = score;
      state.upper = static_cast<T>(margin_.upper(norm, score, largest));
      T least;
      const Index failing = kernels_.failing_groups(lower_.data() + row * stride_, group_drift_up_.data(), bounds_,
                                                    state.upper + slack_, w.failing.data(), &least);
      Index kept = 0;
      for (Index f = 0; f < failing; ++f) {
        const std::int32_t g = w.failing[f];
        if (center_distances_) {
          const T apart = to_group_[state.own * bounds_ + g];
          if (apart > T(2) * state.upper) {
            set_lower(row, g, std::max(lower_now(row, g), apart - state.upper));
            continue;
          }
        }
        w.list[g * kBatch + w.listed[g]++] = static_cast<std::int32_t>(b);
        ++kept;
      }
      total += kept;
      active += kept > 0;
    }
    if (2 * total > active * bounds_ && active >= kernels_.tile_points) {
      for (Index b = 0; b < w.pending; b += kernels_.tile_points)
        score_tile({x_.data, x_.row_stride, x_.col_stride, w.batch.data() + b, first,
                    std::min(kernels_.tile_points, w.pending - b)},
                   w, changes);
      w.pending = 0;
      return;
    }
    for (Index g = 0; g < bounds_; ++g)
      if (w.listed[g] > 0) score_group(g, first, centers, largest, w);
    for (Index b = 0; b < w.pending; ++b) {
      const Index row = first + w.batch[b];
      const auto& state = w.row[b];
      const T u = state.best == state.own ? state.upper : margin_.upper(state.norm, state.best_score, largest);
      set_upper(row, u, state.best);
      gap_[row] = ledger_.stored_gap(u, least_lower(row), state.best);
      take(row, state.best, changes);
    }
    w.pending = 0;
  }

  // Bound group g for the rows on its list. Invariant: lower bounds cover every centre but the row's current best.
  void score_group(Index g, Index first, const PackedCenters<T>& centers, double largest, Workspace& w) noexcept {
    struct Two {
      double best, second;
      std::int32_t id;
    };
    Two found[kBatch];
    const std::int32_t* list = w.list.data() + g * kBatch;
    const Index count = w.listed[g];
    for (Index i = 0; i < count; ++i)
      found[i] = {-std::numeric_limits<double>::infinity(), -std::numeric_limits<double>::infinity(), -1};
    for (Index kernel_group = first_kernel_group(g); kernel_group < first_kernel_group(g + 1); ++kernel_group) {
      kernels_.row_scores(w.copied.data(), list, count, centers, kernel_group, w.scores.data());
      const Index begin = pack_.first(kernel_group), width = pack_.first(kernel_group + 1) - begin;
      for (Index i = 0; i < count; ++i) {
        const std::int32_t own = w.row[list[i]].own;
        for (Index r = 0; r < width; ++r) {
          const std::int32_t id = pack_.id(begin + r);
          if (id == own) continue;
          const double score = w.scores[i * kGroupCenters + r];
          if (score > found[i].best || (score == found[i].best && id < found[i].id)) {
            found[i].second = found[i].best;
            found[i].best = score;
            found[i].id = id;
          } else if (score > found[i].second) {
            found[i].second = score;
          }
        }
      }
    }
    for (Index i = 0; i < count; ++i) {
      auto& state = w.row[list[i]];
      const Index row = first + w.batch[list[i]];
      const Two& two = found[i];
      // The own centre, once displaced, counts for its group again.
      const bool own_displaced_here = state.best != state.own && group_of(state.own) == g;
      const T own_distance =
          own_displaced_here ? margin_.lower(state.norm, state.own_score, largest) : std::numeric_limits<T>::infinity();
      if (two.id >= 0 && (two.best > state.best_score || (two.best == state.best_score && two.id < state.best))) {
        const T displaced = margin_.lower(state.norm, state.best_score, largest);
        const Index displaced_group = group_of(state.best);
        state.best_score = two.best;
        state.best = two.id;
        set_lower(row, g, std::min(margin_.lower(state.norm, two.second, largest), own_distance));
        if (displaced < lower_now(row, displaced_group)) set_lower(row, displaced_group, displaced);
      } else {
        set_lower(row, g, std::min(margin_.lower(state.norm, two.best, largest), own_distance));
      }
    }
  }

  // to_group_[a][g]: distance from centre a to the nearest other centre of group g; half_nearest_[a]: half the least.
  // O(k^2 d).
  void measure_centers() noexcept {
    for (Index i = 0; i < k_ * bounds_; ++i) to_group_[i] = std::numeric_limits<T>::infinity();
    const PackedCenters<T> centers = pack_.view();
    for (Index p = 0; p < k_; ++p) {
      const std::int32_t a = pack_.id(p);
      T least = std::numeric_limits<T>::infinity();
      for (Index q = 0; q < k_; ++q) {
        if (q == p) continue;
        const std::int32_t c = pack_.id(q);
        const double squared = kernels_.squared_distance(centers.rows + p * centers.row_length, 1,
                                                         centers.rows + q * centers.row_length, x_.cols);
        const T distance = Margin<T>::nudge_down(std::sqrt(squared));
        T& nearest = to_group_[a * bounds_ + group_of(c)];
        nearest = std::min(nearest, distance);
        least = std::min(least, distance);
      }
      half_nearest_[a] = least * T(0.5);
    }
  }

  MatrixView<const T> x_;
  const T* offset_;
  const KMeansKernels<T>& kernels_;
  std::int32_t* labels_;
  Index k_;
  bool center_distances_, first_step_ = true;
  CenterPack<T> pack_;
  Index bounds_;
  DriftLedger<T> ledger_;
  Margin<T> margin_;
  std::vector<std::int32_t> position_of_, group_of_;
  std::vector<double> group_drift_;
  Buffer<T> group_drift_up_, own_drift_up_, own_drift_down_;
  Buffer<T> gap_, upper_, lower_;
  Index stride_;
  T slack_ = 0;
  Buffer<T> half_nearest_, to_group_;
  std::vector<Workspace> workspaces_;
};

}  // namespace mlcore::cluster
