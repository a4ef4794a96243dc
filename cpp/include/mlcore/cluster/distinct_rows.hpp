// The different rows of a small matrix, as weighted points in an order that depends on their values alone.
//
// A random start that is drawn from these points is the same for any order of the rows, and the same whether a row has
// weight m or stands there m times.
#pragma once
#include "mlcore/base/buffer.hpp"
#include "mlcore/base/types.hpp"
#include "mlcore/base/views.hpp"

namespace mlcore::cluster {

template <class T>
struct DistinctRows {
  Buffer<Index> rows;  ///< the first row of each value, in lexicographic order of the values
  Buffer<T> weights;   ///< total weight of the rows with this value, always positive
  Index count = 0;
};

/// Rows without weight are left out; weights may be empty (ones). O(n log n) comparisons of rows. CSR columns must be
/// sorted and unique within a row, otherwise equal rows may be taken for different ones.
template <class T>
DistinctRows<T> distinct_rows(const MatrixView<const T>& x, VectorView<const T> weights);
template <class T, class I>
DistinctRows<T> distinct_rows(const CsrView<T, I>& x, VectorView<const T> weights);

}  // namespace mlcore::cluster
