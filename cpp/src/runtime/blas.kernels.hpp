// Inner loops of our own dense linear algebra, one table per instruction-set level.
#pragma once
#include "mlcore/base/types.hpp"

namespace mlcore::runtime::blas {

/// A product is computed in tiles of tile_rows x tile_cols that live in registers, from packed operands:
/// `a` holds for every p < depth the tile_rows entries of column p, `b` the tile_cols entries of row p.
template <class T>
struct KernelsOf {
  Index tile_rows;
  Index tile_cols;
  /// c = alpha a b + beta c on the first rows x cols of the tile, at c[i * row_stride + j * col_stride]. With beta == 0
  /// c is not read.
  void (*tile)(Index depth, const T* a, const T* b, T alpha, T beta, T* c, Index row_stride, Index col_stride,
               Index rows, Index cols) noexcept;
  T (*dot)(Index n, const T* x, const T* y) noexcept;
  /// y += alpha x
  void (*axpy)(Index n, T alpha, const T* x, T* y) noexcept;
  /// Sum of (scale x_i)^2 in double precision.
  double (*sum_of_squares)(Index n, const T* x, double scale) noexcept;
};

struct Kernels {
  KernelsOf<float> of_float;
  KernelsOf<double> of_double;
};

}  // namespace mlcore::runtime::blas
