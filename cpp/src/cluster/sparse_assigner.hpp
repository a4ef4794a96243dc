// lloyd and hamerly on CSR rows: scores of one row with all centres at once, centres stored feature by feature, so that
// each entry of the row is one multiply-add over a contiguous run of centres. O(entries * k) a step without bounds.
#pragma once
#include <type_traits>
#include <vector>

#include "cluster/assigner.hpp"
#include "cluster/row_source.hpp"

namespace mlcore::cluster {

/// Centres as columns: columns[j * stride + c], stride a multiple of the lanes.
template <class T>
class CenterColumns {
 public:
  CenterColumns(Index k, Index d)
      : k_(k),
        d_(d),
        stride_(round_up(k, kmeans_kernels(T{}).lanes)),
        columns_(Buffer<T>::zeros({d, stride_})),
        half_norms_({k}) {}
  void pack(const T* centers) noexcept {
    largest_norm_ = 0;
    for (Index c = 0; c < k_; ++c) {
      double norm = 0;
      for (Index j = 0; j < d_; ++j) {
        const T v = centers[c * d_ + j];
        columns_[j * stride_ + c] = v;
        norm += static_cast<double>(v) * static_cast<double>(v);
      }
      half_norms_[c] = static_cast<T>(0.5 * norm);
      largest_norm_ = std::max(largest_norm_, norm);
    }
  }
  /// scores[c] = x.c - |c|^2 / 2 of one row, scores of length stride().
  template <class I>
  void scores(const CsrView<T, I>& x, Index row, T* scores) const noexcept {
    const KMeansKernels<T>& kernels = kmeans_kernels(T{});
    const Index begin = static_cast<Index>(x.indptr[row]), entries = static_cast<Index>(x.indptr[row + 1]) - begin;
    if constexpr (sizeof(I) == 4)
      kernels.sparse_scores_i32(x.values + begin, x.indices + begin, entries, columns_.data(), stride_, scores);
    else
      kernels.sparse_scores_i64(x.values + begin, x.indices + begin, entries, columns_.data(), stride_, scores);
    for (Index c = 0; c < k_; ++c) scores[c] -= half_norms_[c];
  }
  Index stride() const noexcept { return stride_; }
  double largest_squared_norm() const noexcept { return largest_norm_; }

 private:
  Index k_, d_, stride_;
  Buffer<T> columns_, half_norms_;
  double largest_norm_ = 0;
};

template <class T, class I>
double squared_norm(const CsrView<T, I>& x, Index row) noexcept {
  double norm = 0;
  for (Index e = static_cast<Index>(x.indptr[row]); e < static_cast<Index>(x.indptr[row + 1]); ++e)
    norm += static_cast<double>(x.values[e]) * static_cast<double>(x.values[e]);
  return norm;
}

/// Best and second-best score; the lower index wins a tie.
template <class T>
struct BestTwo {
  std::int32_t index = 0;
  T best = -std::numeric_limits<T>::infinity(), second = -std::numeric_limits<T>::infinity();
  void offer(T score, std::int32_t c) noexcept {
    if (score > best) {
      second = best;
      best = score;
      index = c;
    } else if (score > second) {
      second = score;
    }
  }
};

template <class T, class I>
class SparseAssigner final : public Assigner<T> {
 public:
  SparseAssigner(const CsrView<T, I>& x, Index k, std::int32_t* labels, int members, bool bounds)
      : x_(x), k_(k), labels_(labels), bounds_(bounds), columns_(k, x.cols), ledger_(k), margin_(x.cols) {
    if (bounds_) gap_ = Buffer<T>({x.rows});
    for (int m = 0; m < members; ++m) {
      scores_.emplace_back(columns_.stride());
      rows_.emplace_back(kBlockRows + kSelectSlack);
    }
  }

  void centers_moved(const T* centers, const double* drift) override {
    columns_.pack(centers);
    first_step_ = drift == nullptr;
    if (drift != nullptr) ledger_.add(drift);
  }

  void assign(Index first, Index last, int member, ChangeList& changes) noexcept override {
    T* scores = scores_[static_cast<std::size_t>(member)].data();
    if (!bounds_ || first_step_) {
      for (Index row = first; row < last; ++row) score(row, scores, changes);
      return;
    }
    std::int32_t* rows = rows_[static_cast<std::size_t>(member)].data();
    const Index unsafe = kmeans_kernels(T{}).select_unsafe(gap_.data() + first, labels_ + first, ledger_.allowance(),
                                                           last - first, rows);
    for (Index i = 0; i < unsafe; ++i) score(first + rows[i], scores, changes);
  }

 private:
  void score(Index row, T* scores, ChangeList& changes) noexcept {
    columns_.scores(x_, row, scores);
    BestTwo<T> best;
    for (Index c = 0; c < k_; ++c) best.offer(scores[c], static_cast<std::int32_t>(c));
    if (labels_[row] != best.index) {
      changes.add(row, labels_[row], best.index);
      labels_[row] = best.index;
    }
    if (bounds_) {
      const double norm = squared_norm(x_, row), largest = columns_.largest_squared_norm();
      const double upper = margin_.upper(norm, best.best, largest), lower = margin_.lower(norm, best.second, largest);
      gap_[row] = ledger_.stored_gap(upper, lower, best.index);
    }
  }

  CsrView<T, I> x_;
  Index k_;
  std::int32_t* labels_;
  bool bounds_, first_step_ = true;
  CenterColumns<T> columns_;
  DriftLedger<T> ledger_;
  Margin<T> margin_;
  Buffer<T> gap_;
  std::vector<Buffer<T>> scores_;
  std::vector<Buffer<std::int32_t>> rows_;
};

}  // namespace mlcore::cluster
