// Products of rows with a set of directions, block by block, and the lengths of the rows.
//
// The tile kernels of k-means score x.c - |c|^2 / 2. For unit centres the second term is the same for all, but for a
// short row it would swallow the first; with half norms of zero the kernels give x.c itself, and the largest x.c is the
// largest cosine.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <type_traits>
#include <vector>

#include "cluster/packed_centers.hpp"
#include "cluster/row_source.hpp"
#include "mlcore/base/buffer.hpp"
#include "mlcore/runtime/parallel.hpp"

namespace mlcore::cluster {

/// Rows that a scorer takes at a time.
inline constexpr Index kDirectionBlock = 512;

template <class Source>
class Directions;

template <class T>
class Directions<DenseRows<T>> {
 public:
  /// k directions. `single` keeps them apart, which products() needs; nearest() is faster without.
  Directions(const DenseRows<T>& x, Index k, int members, bool single)
      : x_(x.view()),
        kernels_(kmeans_kernels(T{})),
        k_(k),
        pack_(k, x.cols(), kernels_.lanes, single ? 1 : kGroupCenters),
        zeros_(Buffer<T>::zeros({std::max(k, x.cols())})) {
    for (int m = 0; m < members; ++m) workspaces_.emplace_back(x.cols(), kernels_.tile_points);
  }

  void set(const T* directions) noexcept { pack_.pack(directions); }

  /// label[i], product[i] <- argmax and max of x.c for the rows [first, last); the lower number wins a tie.
  void nearest(Index first, Index last, int member, std::int32_t* label, T* product) noexcept {
    for_tiles(first, last, member, [&](Index row, Index count, Workspace& w, const PackedCenters<T>& centers) {
      kernels_.nearest(w.tile.data(), centers, 0, centers.groups, w.best.data(), w.position.data());
      std::copy_n(w.best.data(), count, product + (row - first));
      std::copy_n(w.position.data(), count, label + (row - first));
    });
  }

  /// product[c * kDirectionBlock + i] <- x.c
  void products(Index first, Index last, int member, T* product) noexcept {
    for_tiles(first, last, member, [&](Index row, Index count, Workspace& w, const PackedCenters<T>& centers) {
      for (Index c = 0; c < k_; ++c) {
        kernels_.nearest(w.tile.data(), centers, c, c + 1, w.best.data(), w.position.data());
        std::copy_n(w.best.data(), count, product + c * kDirectionBlock + (row - first));
      }
    });
  }

 private:
  struct Workspace {
    Workspace(Index d, Index points) : tile({d, points}), best(points), position(points) {}
    Buffer<T> tile, best;
    Buffer<std::int32_t> position;
  };

  template <class Fn>
  void for_tiles(Index first, Index last, int member, Fn&& fn) noexcept {
    Workspace& w = workspaces_[static_cast<std::size_t>(member)];
    PackedCenters<T> centers = pack_.view();
    centers.half_norms = zeros_.data();
    for (Index row = first; row < last; row += kernels_.tile_points) {
      const Index count = std::min(kernels_.tile_points, last - row);
      kernels_.pack_tile({x_.data, x_.row_stride, x_.col_stride, nullptr, row, count}, x_.cols, zeros_.data(),
                         w.tile.data());
      fn(row, count, w, centers);
    }
  }

  MatrixView<const T> x_;
  const KMeansKernels<T>& kernels_;
  Index k_;
  CenterPack<T> pack_;
  Buffer<T> zeros_;  // half norms, and the offset that nothing is shifted by
  std::vector<Workspace> workspaces_;
};

template <class T, class I>
class Directions<CsrRows<T, I>> {
 public:
  Directions(const CsrRows<T, I>& x, Index k, int members, bool /*single*/)
      : x_(x.view()),
        kernels_(kmeans_kernels(T{})),
        k_(k),
        stride_(round_up(k, kernels_.lanes)),
        columns_(Buffer<T>::zeros({x.cols(), stride_})) {
    for (int m = 0; m < members; ++m) scores_.emplace_back(stride_);
  }

  void set(const T* directions) noexcept {
    for (Index c = 0; c < k_; ++c)
      for (Index j = 0; j < x_.cols; ++j) columns_[j * stride_ + c] = directions[c * x_.cols + j];
  }

  void nearest(Index first, Index last, int member, std::int32_t* label, T* product) noexcept {
    T* s = scores_[static_cast<std::size_t>(member)].data();
    for (Index row = first; row < last; ++row) {
      score(row, s);
      const T* best = std::max_element(s, s + k_);  // the first of equals
      label[row - first] = static_cast<std::int32_t>(best - s);
      product[row - first] = *best;
    }
  }

  void products(Index first, Index last, int member, T* product) noexcept {
    T* s = scores_[static_cast<std::size_t>(member)].data();
    for (Index row = first; row < last; ++row) {
      score(row, s);
      for (Index c = 0; c < k_; ++c) product[c * kDirectionBlock + (row - first)] = s[c];
    }
  }

 private:
  void score(Index row, T* s) const noexcept {
    const Index begin = static_cast<Index>(x_.indptr[row]), entries = static_cast<Index>(x_.indptr[row + 1]) - begin;
    if constexpr (sizeof(I) == 4)
      kernels_.sparse_scores_i32(x_.values + begin, x_.indices + begin, entries, columns_.data(), stride_, s);
    else
      kernels_.sparse_scores_i64(x_.values + begin, x_.indices + begin, entries, columns_.data(), stride_, s);
  }

  CsrView<T, I> x_;
  const KMeansKernels<T>& kernels_;
  Index k_, stride_;
  Buffer<T> columns_;
  std::vector<Buffer<T>> scores_;
};

/// The entries of a row, in any storage, as fn(column, value).
template <class T, class Fn>
void for_entries(const DenseRows<T>& x, Index row, Fn&& fn) {
  const MatrixView<const T>& v = x.view();
  for (Index j = 0; j < v.cols; ++j) fn(j, static_cast<double>(v(row, j)));
}
template <class T, class I, class Fn>
void for_entries(const CsrRows<T, I>& x, Index row, Fn&& fn) {
  for (Index e = x.begin(row); e < x.end(row); ++e)
    fn(static_cast<Index>(x.view().indices[e]), static_cast<double>(x.view().values[e]));
}

/// 1 / |x_i| in float64, 0 for zero rows. Squares that over- or underflow are taken of the row divided by its largest
/// entry.
template <class Source>
Buffer<double> inverse_norms(const Source& x, int threads) {
  const Index n = x.rows(), blocks = ceil_div(n, kDirectionBlock);
  Buffer<double> inverse({n});
  runtime::parallel_for(blocks, threads, [&](Index b) {
    for (Index row = b * kDirectionBlock; row < std::min(n, (b + 1) * kDirectionBlock); ++row) {
      double squared = 0;
      for_entries(x, row, [&](Index, double v) { squared += v * v; });
      if (squared > 1e-280 && squared < 1e280) {
        inverse[row] = 1.0 / std::sqrt(squared);
        continue;
      }
      double largest = 0, scaled = 0;
      for_entries(x, row, [&](Index, double v) { largest = std::max(largest, std::abs(v)); });
      if (largest > 0) for_entries(x, row, [&](Index, double v) { scaled += (v / largest) * (v / largest); });
      inverse[row] = largest > 0 ? 1.0 / std::sqrt(scaled) / largest : 0.0;
    }
  });
  return inverse;
}

/// 1 - cos of one row with a unit vector, as |x/|x| - c|^2 / 2: no digits are lost when the two are close. 1 for zero
/// rows.
template <class T>
double cosine_distance(const DenseRows<T>& x, Index row, double inverse_norm, const T* c,
                       double /*norm of c*/) noexcept {
  if (inverse_norm == 0) return 1.0;
  double squared = 0;
  for_entries(x, row, [&](Index j, double v) {
    const double difference = v * inverse_norm - static_cast<double>(c[j]);
    squared += difference * difference;
  });
  return 0.5 * squared;
}
template <class T, class I>
double cosine_distance(const CsrRows<T, I>& x, Index row, double inverse_norm, const T* c,
                       double squared_norm) noexcept {
  if (inverse_norm == 0) return 1.0;
  double squared = squared_norm;
  for_entries(x, row, [&](Index j, double v) {
    const double unit = v * inverse_norm;
    squared += unit * (unit - 2.0 * static_cast<double>(c[j]));
  });
  return std::max(0.0, 0.5 * squared);
}

/// |c|^2 of every centre (1 but for rounding).
template <class T>
Buffer<double> squared_norms(const T* centers, Index k, Index d) {
  Buffer<double> norms({k});
  for (Index c = 0; c < k; ++c) {
    norms[c] = 0;
    for (Index j = 0; j < d; ++j)
      norms[c] += static_cast<double>(centers[c * d + j]) * static_cast<double>(centers[c * d + j]);
  }
  return norms;
}

/// sum_i w_i (1 - cos(x_i, c_{label_i})), bit-equal for any number of threads. per_row, when given, receives the terms
/// without their weights.
template <class Source>
double cosine_objective(const Source& x, VectorView<const typename Source::Scalar> weights, const double* inverse,
                        const typename Source::Scalar* centers, Index k, const std::int32_t* labels, int threads,
                        double* per_row = nullptr) {
  const Index n = x.rows(), d = x.cols();
  const Buffer<double> norms = squared_norms(centers, k, d);
  return runtime::reduce_ordered(
      ceil_div(n, kDirectionBlock), threads, 0.0,
      [&](Index b, double& total) {
        for (Index row = b * kDirectionBlock; row < std::min(n, (b + 1) * kDirectionBlock); ++row) {
          const std::int32_t c = labels[row];
          const double distance = cosine_distance(x, row, inverse[row], centers + c * d, norms[c]);
          if (per_row != nullptr) per_row[row] = distance;
          total += weights.empty() ? distance : static_cast<double>(weights[row]) * distance;
        }
      },
      [](double& total, double part) { total += part; });
}

}  // namespace mlcore::cluster
