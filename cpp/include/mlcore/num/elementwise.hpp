// Elementary functions of whole arrays: vectorised for the level in use, parallel when the work pays.
//
// Errors are at most 2 ULP, special values as in C's <math.h>; bounds and methods per function stand in
// num/vector_math.hpp, whose code kernel files use directly. The result of an element depends on its value only: not on
// its place, the length, or the number of threads. Bits may differ between instruction-set levels.
#pragma once
#include "mlcore/base/views.hpp"
#include "mlcore/runtime/isa.hpp"

namespace mlcore::num {

enum class Elementwise : int {
  kExp = 0,
  kExpm1 = 1,
  kLog = 2,
  kLog1p = 3,
  kTanh = 4,
  kSigmoid = 5,
  kExpFlushed =
      6,  ///< e^x for sums: results below the smallest normal number are 0, above the largest power of two inf
};

/// y[i] = f(x[i]). y may be x. `threads` as resolved (runtime/threads.hpp); fewer are used when the array is small. T
/// is float or double. Throws std::invalid_argument on different sizes or a level that this build or CPU does not have.
template <class T>
void apply(Elementwise f, VectorView<const T> x, VectorView<T> y, int threads,
           runtime::IsaLevel level = runtime::isa_level());

template <class T>
void exp(VectorView<const T> x, VectorView<T> y, int threads) {
  apply<T>(Elementwise::kExp, x, y, threads);
}
template <class T>
void expm1(VectorView<const T> x, VectorView<T> y, int threads) {
  apply<T>(Elementwise::kExpm1, x, y, threads);
}
template <class T>
void log(VectorView<const T> x, VectorView<T> y, int threads) {
  apply<T>(Elementwise::kLog, x, y, threads);
}
template <class T>
void log1p(VectorView<const T> x, VectorView<T> y, int threads) {
  apply<T>(Elementwise::kLog1p, x, y, threads);
}
template <class T>
void tanh(VectorView<const T> x, VectorView<T> y, int threads) {
  apply<T>(Elementwise::kTanh, x, y, threads);
}
template <class T>
void sigmoid(VectorView<const T> x, VectorView<T> y, int threads) {
  apply<T>(Elementwise::kSigmoid, x, y, threads);
}

}  // namespace mlcore::num
