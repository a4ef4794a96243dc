// lloyd and hamerly on dense rows: register tiles over all centres. Hamerly keeps one stored gap a row and packs only
// the rows whose gap is not safe.
#pragma once
#include <utility>
#include <vector>

#include "cluster/assigner.hpp"
#include "cluster/packed_centers.hpp"

namespace mlcore::cluster {

template <class T>
class DenseAssigner final : public Assigner<T> {
 public:
  DenseAssigner(const MatrixView<const T>& x, const T* offset, Index k, std::int32_t* labels, int members, bool bounds)
      : x_(x),
        offset_(offset),
        kernels_(kmeans_kernels(T{})),
        labels_(labels),
        bounds_(bounds),
        pack_(k, x.cols, kernels_.lanes),
        ledger_(k),
        margin_(x.cols) {
    if (bounds_) gap_ = Buffer<T>({x.rows});
    for (int m = 0; m < members; ++m) workspaces_.emplace_back(x.cols, kernels_.tile_points);
  }

  void centers_moved(const T* centers, const double* drift) override {
    pack_.pack(centers);
    first_step_ = drift == nullptr;
    if (drift != nullptr) ledger_.add(drift);
  }

  void assign(Index first, Index last, int member, ChangeList& changes) noexcept override {
    Workspace& w = workspaces_[static_cast<std::size_t>(member)];
    if (!bounds_ || first_step_) {
      for (Index row = first; row < last; row += kernels_.tile_points)
        score({x_.data, x_.row_stride, x_.col_stride, nullptr, row, std::min(kernels_.tile_points, last - row)}, w,
              changes);
      return;
    }
    const Index unsafe =
        kernels_.select_unsafe(gap_.data() + first, labels_ + first, ledger_.allowance(), last - first, w.rows.data());
    for (Index i = 0; i < unsafe; i += kernels_.tile_points)
      score(
          {x_.data, x_.row_stride, x_.col_stride, w.rows.data() + i, first, std::min(kernels_.tile_points, unsafe - i)},
          w, changes);
  }

 private:
  struct Workspace {
    Workspace(Index d, Index points)
        : tile({d, points}),
          best(points),
          second(points),
          norms(points),
          upper(points),
          lower(points),
          position(points),
          rows(kBlockRows + kSelectSlack) {}
    Buffer<T> tile, best, second, norms, upper, lower;
    Buffer<std::int32_t> position, rows;
  };

  void score(const RowSet<T>& set, Workspace& w, ChangeList& changes) noexcept {
    kernels_.pack_tile(set, x_.cols, offset_, w.tile.data());
    const PackedCenters<T> centers = pack_.view();
    if (bounds_) {
      kernels_.nearest_two(w.tile.data(), centers, 0, centers.groups, w.best.data(), w.position.data(),
                           w.second.data());
      kernels_.tile_norms(w.tile.data(), x_.cols, w.norms.data());
      const T largest = static_cast<T>(pack_.largest_squared_norm()), relative = static_cast<T>(margin_.relative);
      kernels_.upper_bounds(w.best.data(), w.norms.data(), kernels_.tile_points, relative, largest, w.upper.data());
      kernels_.lower_bounds(w.second.data(), w.norms.data(), kernels_.tile_points, relative, largest, T(0),
                            w.lower.data());
    } else {
      kernels_.nearest(w.tile.data(), centers, 0, centers.groups, w.best.data(), w.position.data());
    }
    for (Index p = 0; p < set.count; ++p) {
      const Index row = set.start + (set.rows != nullptr ? set.rows[p] : p);
      const std::int32_t to = w.position[p];  // positions are ids here: the order is never changed
      if (labels_[row] != to) {
        changes.add(row, labels_[row], to);
        labels_[row] = to;
      }
      if (bounds_) gap_[row] = ledger_.stored_gap(w.upper[p], w.lower[p], to);
    }
  }

  MatrixView<const T> x_;
  const T* offset_;
  const KMeansKernels<T>& kernels_;
  std::int32_t* labels_;
  bool bounds_, first_step_ = true;
  CenterPack<T> pack_;
  DriftLedger<T> ledger_;
  Margin<T> margin_;
  Buffer<T> gap_;
  std::vector<Workspace> workspaces_;
};

}  // namespace mlcore::cluster
