// Sums of statistics: E-steps over blocks of sequences, with the same parameters, add up.
#pragma once
#include "mlcore/base/buffer.hpp"
#include "mlcore/base/errors.hpp"
#include "mlcore/base/views.hpp"

namespace mlcore::hmm {

inline Buffer<double> sum_of(VectorView<const double> a, VectorView<const double> b) {
  require(a.size == b.size, "statistics differ in size");
  Buffer<double> out({a.size});
  for (Index i = 0; i < a.size; ++i) out[i] = a[i] + b[i];
  return out;
}

}  // namespace mlcore::hmm
