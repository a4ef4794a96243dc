// Stable log-sum-exp: log sum_j exp(x_j) without overflow or loss, over the rows of a matrix, a vector, or a stream.
//
//   m = max_j x_j,   log sum_j exp(x_j) = m + log sum_j exp(x_j - m)
//
// Exponentials come from num/vector_math.hpp (1.1 ULP), sums are float64. Special cases: nothing to add or only -inf
// gives -inf; +inf anywhere (and no NaN) gives +inf; NaN anywhere gives NaN. Error: a few ULP of max(|m|, log n, 1).
// Reference: P. Blanchard, D. J. Higham, N. J. Higham, "Accurately computing the log-sum-exp and softmax functions",
// IMA J. Numer. Anal. 41 (2021).
#pragma once
#include <limits>

#include "mlcore/base/views.hpp"
#include "mlcore/runtime/isa.hpp"

namespace mlcore::num {

/// out[i] = log sum_j exp(x(i, j)). Any strides; contiguous rows or contiguous columns are fastest. The same bits for
/// any number of threads (and for a row alone or among others). T is float or double.
template <class T>
void logsumexp_rows(MatrixView<const T> x, VectorView<T> out, int threads,
                    runtime::IsaLevel level = runtime::isa_level());

/// log sum_i exp(x[i]); blocks by size only, combined in order: the same bits for any number of threads.
template <class T>
double logsumexp(VectorView<const T> x, int threads, runtime::IsaLevel level = runtime::isa_level());

/// Streaming form: what is known of the terms so far is (maximum, sum of exp(x - shift)), shift = maximum where that is
/// finite, else 0. add() costs one exponential; merge() joins two streams, order matters to the last bits only.
class LogSumExp {
 public:
  explicit LogSumExp(runtime::IsaLevel level = runtime::isa_level()) noexcept : level_(level) {}
  void add(double x);
  /// All of x at once, vectorised.
  template <class T>
  void add(VectorView<const T> x);
  void merge(const LogSumExp& other) { merge(other.maximum_, other.sum_); }
  /// log of the sum of exponentials so far; -inf before the first term.
  double value() const;

 private:
  void merge(double maximum, double sum);

  runtime::IsaLevel level_;
  double maximum_ = -std::numeric_limits<double>::infinity();
  double sum_ = 0.0;
};

}  // namespace mlcore::num
