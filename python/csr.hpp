// CSR matrices cross the border as the tuple (data, indices, indptr, n_features), without a copy.
#pragma once
#include <cstdint>
#include <string>

#include "arrays.hpp"

namespace mlcore::python {

template <class T, class I>
struct CsrArgument {
  Array<T> data;
  Array<I> indices, indptr;
  Index features = 0;

  /// Checks what memory safety needs, O(entries).
  CsrView<T, I> view() const {
    const VectorView<const T> values = vector_view<T>(data, "data");
    const VectorView<const I> columns = vector_view<I>(indices, "indices"), starts = vector_view<I>(indptr, "indptr");
    if (starts.size < 1 || starts[0] != 0) throw std::invalid_argument("indptr must start with 0");
    const Index rows = starts.size - 1;
    for (Index i = 0; i < rows; ++i)
      if (starts[i + 1] < starts[i]) throw std::invalid_argument("indptr must not decrease");
    const Index entries = static_cast<Index>(starts[rows]);
    if (entries > values.size || entries > columns.size)
      throw std::invalid_argument("indptr points beyond the end of data or indices");
    for (Index e = 0; e < entries; ++e)
      if (columns[e] < 0 || static_cast<Index>(columns[e]) >= features)
        throw std::invalid_argument("column index out of range");
    return {values.data, columns.data, starts.data, rows, features};
  }
};

}  // namespace mlcore::python

namespace pybind11::detail {

/// Loads only exact dtypes: anything else goes to the next overload.
template <class T, class I>
struct type_caster<mlcore::python::CsrArgument<T, I>> {
  using Argument = mlcore::python::CsrArgument<T, I>;
  PYBIND11_TYPE_CASTER(Argument, const_name("tuple"));

  bool load(handle source, bool) {
    if (!isinstance<tuple>(source)) return false;
    const auto parts = reinterpret_borrow<tuple>(source);
    if (parts.size() != 4 || !isinstance<array_t<T>>(parts[0]) || !isinstance<array_t<I>>(parts[1]) ||
        !isinstance<array_t<I>>(parts[2]))
      return false;
    value.data = reinterpret_borrow<mlcore::python::Array<T>>(parts[0]);
    value.indices = reinterpret_borrow<mlcore::python::Array<I>>(parts[1]);
    value.indptr = reinterpret_borrow<mlcore::python::Array<I>>(parts[2]);
    value.features = parts[3].cast<mlcore::Index>();
    return true;
  }
};

}  // namespace pybind11::detail
