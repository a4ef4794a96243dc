// exponion on dense rows (Newling & Fleuret, ICML 2016): the nearest and the second-nearest centre of a row lie within
// 2 u + s of its own centre a, where u bounds the distance to a and s is the distance from a to its nearest neighbour.
// So a row whose gap fails looks only at the first centres of a's list of neighbours, sorted by distance. Memory O(n +
// k^2); a step costs O(k^2 (d + log k)) for the lists.
#pragma once
#include <algorithm>
#include <limits>
#include <numeric>
#include <vector>

#include "cluster/assigner.hpp"
#include "cluster/dense_assigner.hpp"
#include "cluster/packed_centers.hpp"

namespace mlcore::cluster {

template <class T>
class ExponionAssigner final : public Assigner<T> {
 public:
  ExponionAssigner(const MatrixView<const T>& x, const T* offset, Index k, std::int32_t* labels, int members)
      : x_(x),
        offset_(offset),
        kernels_(kmeans_kernels(T{})),
        labels_(labels),
        k_(k),
        pack_(k, x.cols, kernels_.lanes),
        ledger_(k),
        margin_(x.cols),
        gap_({x.rows}),
        neighbours_({k, k - 1}),
        apart_({k, k - 1}) {
    for (int m = 0; m < members; ++m) workspaces_.emplace_back(pack_.row_length());
  }

  void centers_moved(const T* centers, const double* drift) override {
    pack_.pack(centers);
    first_step_ = drift == nullptr;
    if (drift != nullptr) ledger_.add(drift);
    sort_neighbours();
  }

  void assign(Index first, Index last, int member, ChangeList& changes) noexcept override {
    Workspace& w = workspaces_[static_cast<std::size_t>(member)];
    if (first_step_) {
      for (Index row = first; row < last; ++row) score(row, true, w, changes);
      return;
    }
    const Index unsafe =
        kernels_.select_unsafe(gap_.data() + first, labels_ + first, ledger_.allowance(), last - first, w.rows.data());
    for (Index i = 0; i < unsafe; ++i) score(first + w.rows[i], false, w, changes);
  }

 private:
  struct Workspace {
    explicit Workspace(Index row_length) : rows(kBlockRows + kSelectSlack), copied(row_length) {}
    Buffer<std::int32_t> rows;
    Buffer<T> copied;
  };

  void score(Index row, bool all, Workspace& w, ChangeList& changes) noexcept {
    const PackedCenters<T> centers = pack_.view();
    kernels_.copy_rows({x_.data, x_.row_stride, x_.col_stride, nullptr, row, 1}, x_.cols, pack_.row_length(), offset_,
                       w.copied.data());
    const std::int32_t own = all ? 0 : labels_[row];
    const double largest = pack_.largest_squared_norm();
    T own_score, norm;
    kernels_.row_score(w.copied.data(), centers, own, &own_score, &norm);
    const double u = margin_.upper(norm, own_score, largest);
    const T* apart = apart_.data() + own * (k_ - 1);
    const std::int32_t* neighbour = neighbours_.data() + own * (k_ - 1);
    const double reach = all ? std::numeric_limits<double>::infinity() : 2.0 * u + static_cast<double>(apart[0]);
    T best = own_score, second = -std::numeric_limits<T>::infinity();
    std::int32_t to = own;
    Index looked = 0;
    for (; looked < k_ - 1 && static_cast<double>(apart[looked]) <= reach; ++looked) {
      T s, unused;
      kernels_.row_score(w.copied.data(), centers, neighbour[looked], &s, &unused);
      if (s > best || (s == best && neighbour[looked] < to)) {
        second = best;
        best = s;
        to = neighbour[looked];
      } else if (s > second) {
        second = s;
      }
    }
    // Centres not looked at are farther than the two found: |x - c| >= |a - c| - u > u + s.
    const T upper = margin_.upper(norm, best, largest);
    gap_[row] = ledger_.stored_gap(upper, margin_.lower(norm, second, largest), to);
    if (labels_[row] != to) {
      changes.add(row, labels_[row], to);
      labels_[row] = to;
    }
  }

  void sort_neighbours() {
    const PackedCenters<T> centers = pack_.view();
    std::vector<std::pair<T, std::int32_t>> list(static_cast<std::size_t>(k_));
    for (Index a = 0; a < k_; ++a) {
      list.clear();
      for (Index c = 0; c < k_; ++c) {
        if (c == a) continue;
        const double squared = kernels_.squared_distance(centers.rows + a * centers.row_length, 1,
                                                         centers.rows + c * centers.row_length, x_.cols);
        list.emplace_back(Margin<T>::nudge_down(std::sqrt(squared)), static_cast<std::int32_t>(c));
      }
      std::sort(list.begin(), list.end());
      for (std::size_t i = 0; i < list.size(); ++i) {
        apart_[a * (k_ - 1) + static_cast<Index>(i)] = list[i].first;
        neighbours_[a * (k_ - 1) + static_cast<Index>(i)] = list[i].second;
      }
    }
  }

  MatrixView<const T> x_;
  const T* offset_;
  const KMeansKernels<T>& kernels_;
  std::int32_t* labels_;
  Index k_;
  bool first_step_ = true;
  CenterPack<T> pack_;
  DriftLedger<T> ledger_;
  Margin<T> margin_;
  Buffer<T> gap_;
  Buffer<std::int32_t> neighbours_;
  Buffer<T> apart_;
  std::vector<Workspace> workspaces_;
};

}  // namespace mlcore::cluster
