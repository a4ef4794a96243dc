// Sums over one block. Every element is widened to float64 first, so float32 data lose nothing but their own rounding.
#include "mlcore/num/simd.hpp"
#include "reductions.kernels.hpp"

namespace mlcore::MLCORE_ISA_NAMESPACE {

namespace {

constexpr Index kWide = kLanes<double>;
constexpr int kParts = 4;  // independent vector sums: hides the latency of an addition

typedef float HalfFloats __attribute__((vector_size(kVectorBytes / 2), aligned(4), may_alias));

MLCORE_INLINE Vec<double> load_wide(const double* p) noexcept { return load(p); }
MLCORE_INLINE Vec<double> load_wide(const float* p) noexcept {
  return __builtin_convertvector(*reinterpret_cast<const HalfFloats*>(p), Vec<double>);
}

MLCORE_INLINE double total(const Vec<double> (&part)[kParts]) noexcept {
  const Vec<double> all = (part[0] + part[1]) + (part[2] + part[3]);
  double sum = 0.0;
  for (Index l = 0; l < kWide; ++l) sum += all[l];
  return sum;
}

template <class T>
double sum(const T* x, Index n) noexcept {
  Vec<double> part[kParts] = {};
  Index i = 0;
  for (; i + kParts * kWide <= n; i += kParts * kWide)
    for (int p = 0; p < kParts; ++p) part[p] += load_wide(x + i + p * kWide);
  double rest = 0.0;
  for (; i < n; ++i) rest += static_cast<double>(x[i]);
  return total(part) + rest;
}

template <class T>
double dot(const T* x, const T* y, Index n) noexcept {
  Vec<double> part[kParts] = {};
  Index i = 0;
  for (; i + kParts * kWide <= n; i += kParts * kWide)
    for (int p = 0; p < kParts; ++p) part[p] += load_wide(x + i + p * kWide) * load_wide(y + i + p * kWide);
  double rest = 0.0;
  for (; i < n; ++i) rest += static_cast<double>(x[i]) * static_cast<double>(y[i]);
  return total(part) + rest;
}

// Moments. Values are measured from `shift`, a value of the column itself, so the mean m is no larger than the spread
// and its rounding needs no correction in the squares.

template <class T>
void moments_of_contiguous_column(const T* x, Index n, double shift, double* mean, double* squares) noexcept {
  constexpr Index kStep = kParts * kWide;
  const Index whole = n / kStep * kStep;
  Vec<double> part[kParts] = {};
  for (Index i = 0; i < whole; i += kStep)
    for (int p = 0; p < kParts; ++p) part[p] += load_wide(x + i + p * kWide) - shift;
  double m = total(part);
  for (Index i = whole; i < n; ++i) m += static_cast<double>(x[i]) - shift;
  m /= static_cast<double>(n);
  Vec<double> sums[kParts] = {};
  for (Index i = 0; i < whole; i += kStep)
    for (int p = 0; p < kParts; ++p) {
      const Vec<double> d = (load_wide(x + i + p * kWide) - shift) - m;
      sums[p] += d * d;
    }
  double sum = total(sums);
  for (Index i = whole; i < n; ++i) {
    const double d = (static_cast<double>(x[i]) - shift) - m;
    sum += d * d;
  }
  *mean = m;
  *squares = sum;
}

// kCount vectors of neighbouring columns, row by row.
template <int kCount, class T>
MLCORE_INLINE void moments_of_columns(MatrixView<const T> x, Index column, const double* shift, double* mean,
                                      double* squares) noexcept {
  Vec<double> s[kCount], m[kCount] = {};
  for (int c = 0; c < kCount; ++c) s[c] = load(shift + column + c * kWide);
  for (Index i = 0; i < x.rows; ++i)
    for (int c = 0; c < kCount; ++c) m[c] += load_wide(x.data + i * x.row_stride + column + c * kWide) - s[c];
  const auto n = static_cast<double>(x.rows);
  for (int c = 0; c < kCount; ++c) m[c] /= n;
  Vec<double> sums[kCount] = {};
  for (Index i = 0; i < x.rows; ++i)
    for (int c = 0; c < kCount; ++c) {
      const Vec<double> d = (load_wide(x.data + i * x.row_stride + column + c * kWide) - s[c]) - m[c];
      sums[c] += d * d;
    }
  for (int c = 0; c < kCount; ++c) {
    store(mean + column + c * kWide, m[c]);
    store(squares + column + c * kWide, sums[c]);
  }
}

template <class T>
void moments_of_strided_column(const T* x, Index stride, Index n, double shift, double* mean,
                               double* squares) noexcept {
  double sums[kParts] = {};
  for (Index i = 0; i < n; ++i) sums[i % kParts] += static_cast<double>(x[i * stride]) - shift;
  const double m = ((sums[0] + sums[1]) + (sums[2] + sums[3])) / static_cast<double>(n);
  double part[kParts] = {};
  for (Index i = 0; i < n; ++i) {
    const double d = (static_cast<double>(x[i * stride]) - shift) - m;
    part[i % kParts] += d * d;
  }
  *mean = m;
  *squares = (part[0] + part[1]) + (part[2] + part[3]);
}

template <class T>
void column_moments(MatrixView<const T> x, const double* shift, double* mean, double* squares) noexcept {
  Index column = 0;
  if (x.row_stride == 1) {
    for (; column < x.cols; ++column)
      moments_of_contiguous_column(x.data + column * x.col_stride, x.rows, shift[column], mean + column,
                                   squares + column);
  } else if (x.col_stride == 1) {
    for (; column + 4 * kWide <= x.cols; column += 4 * kWide) moments_of_columns<4>(x, column, shift, mean, squares);
    for (; column + kWide <= x.cols; column += kWide) moments_of_columns<1>(x, column, shift, mean, squares);
  }
  for (; column < x.cols; ++column)
    moments_of_strided_column(x.data + column * x.col_stride, x.row_stride, x.rows, shift[column], mean + column,
                              squares + column);
}

const num::ReductionKernels kKernels = {{sum<float>, dot<float>, column_moments<float>},
                                        {sum<double>, dot<double>, column_moments<double>}};

}  // namespace

const num::ReductionKernels& reduction_kernels() noexcept { return kKernels; }

}  // namespace mlcore::MLCORE_ISA_NAMESPACE
