// Non-owning views of the caller's data. Plain structs: they may be passed to kernels.
#pragma once
#include <type_traits>

#include "mlcore/base/types.hpp"

namespace mlcore {

/// n x d matrix with any strides, in elements. C order has col_stride == 1, Fortran order row_stride == 1.
template <class T>
struct MatrixView {
  T* data = nullptr;
  Index rows = 0;
  Index cols = 0;
  Index row_stride = 0;
  Index col_stride = 1;

  bool is_row_major() const noexcept { return col_stride == 1; }
  T* row(Index i) const noexcept { return data + i * row_stride; }
  T& operator()(Index i, Index j) const noexcept { return data[i * row_stride + j * col_stride]; }
  /// A writable view is a read-only one.
  operator MatrixView<const T>() const noexcept
    requires(!std::is_const_v<T>)
  {
    return {data, rows, cols, row_stride, col_stride};
  }
};

template <class T>
MatrixView<T> row_major(T* data, Index rows, Index cols) noexcept {
  return {data, rows, cols, cols, 1};
}

/// n x d compressed sparse rows. Row i holds entries [indptr[i], indptr[i+1]); column numbers may be unsorted.
template <class T, class I>
struct CsrView {
  const T* values = nullptr;
  const I* indices = nullptr;
  const I* indptr = nullptr;
  Index rows = 0;
  Index cols = 0;
};

/// Contiguous vector; data == nullptr with size 0 means "not given".
template <class T>
struct VectorView {
  T* data = nullptr;
  Index size = 0;

  bool empty() const noexcept { return size == 0; }
  T& operator[](Index i) const noexcept { return data[i]; }
  operator VectorView<const T>() const noexcept
    requires(!std::is_const_v<T>)
  {
    return {data, size};
  }
};

}  // namespace mlcore
