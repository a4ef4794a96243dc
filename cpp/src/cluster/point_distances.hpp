// Squared distances of rows to a few points, a tile at a time: what the seeding methods measure.
#pragma once
#include <algorithm>
#include <cstdint>
#include <limits>
#include <vector>

#include "cluster/packed_centers.hpp"
#include "cluster/row_source.hpp"
#include "cluster/sparse_assigner.hpp"
#include "mlcore/base/buffer.hpp"

namespace mlcore::cluster {

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
    for (Index i = 0; i < count; ++i) {
      const char* row = reinterpret_cast<const char*>(x_.row(start + rows[i]));
      for (Index line = 0; line < bytes; line += kCacheLine) __builtin_prefetch(row + line);
      __builtin_prefetch(row + bytes - 1);  // rows need not begin with a cache line
    }
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

}  // namespace mlcore::cluster
