// log sum exp of rows and arrays: m + log sum exp(x - m) with m the largest finite-or-zero shift.
//
// Two passes over a row, the second over data that the first has brought into the cache. Special cases need no branch:
// the shift is 0 where the maximum is not finite, so a row of -inf sums to 0 (log: -inf), a +inf entry makes the sum
// inf, and NaN survives in the sum although comparisons may have dropped it from the maximum.
//
// Rows come in two shapes: long contiguous rows are vectorised along the row; all others (short rows, Fortran order,
// odd strides) put one row into each lane, copying a tile of lanes x kTileColumns when neighbouring rows are not
// contiguous. Which one is used depends on the shape and strides only. float32 exponentials are added kChunk vectors at
// a time and go on as float64, so that long rows lose nothing.
#include "logsumexp.kernels.hpp"
#include "mlcore/num/vector_math.hpp"

namespace mlcore::MLCORE_ISA_NAMESPACE {

namespace {

constexpr Index kChunk = 8;          // vectors of exponentials per float32 partial sum
constexpr Index kTileColumns = 128;  // columns of a transposed tile: 8 KiB at the widest level
constexpr Index kShortVectors = 8;   // rows shorter than so many vectors go one row to a lane

template <class T>
MLCORE_INLINE Vec<T> larger(Vec<T> a, Vec<T> b) noexcept {  // keeps a where b is NaN
  return b > a ? b : a;
}
template <class T>
MLCORE_INLINE Vec<T> finite_or_zero(Vec<T> m) noexcept {
  return absolute<T>(m) < T(__builtin_inf()) ? m : Vec<T>{};
}

/// Sums of T, lane by lane, in float64.
template <class T>
struct WideSum;
template <>
struct WideSum<double> {
  Vec<double> part[1] = {};
  MLCORE_INLINE void add(Vec<double> v) noexcept { part[0] += v; }
};
template <>
struct WideSum<float> {
  typedef float Half __attribute__((vector_size(kVectorBytes / 2)));
  struct Halves {
    Half low, high;
  };
  Vec<double> part[2] = {};
  MLCORE_INLINE void add(Vec<float> v) noexcept {
    const Halves halves = __builtin_bit_cast(Halves, v);
    part[0] += __builtin_convertvector(halves.low, Vec<double>);
    part[1] += __builtin_convertvector(halves.high, Vec<double>);
  }
};
template <class T>
MLCORE_INLINE double total(const WideSum<T>& sum) noexcept {
  double result = 0.0;
  for (const Vec<double>& part : sum.part)
    for (int l = 0; l < kLanes<double>; ++l) result += part[l];
  return result;
}

template <class T>
MLCORE_INLINE Vec<T> load_padded(const T* x, Index n) noexcept {
  Vec<T> v = broadcast<T>(-__builtin_inf());
  for (Index l = 0; l < n; ++l) v[l] = x[l];
  return v;
}

template <class T>
MLCORE_INLINE T contiguous_maximum(const T* x, Index n) noexcept {
  constexpr Index kLane = kLanes<T>;
  Vec<T> m0 = broadcast<T>(-__builtin_inf()), m1 = m0, m2 = m0, m3 = m0;
  Index j = 0;
  for (; j + 4 * kLane <= n; j += 4 * kLane) {
    m0 = larger<T>(m0, load(x + j));
    m1 = larger<T>(m1, load(x + j + kLane));
    m2 = larger<T>(m2, load(x + j + 2 * kLane));
    m3 = larger<T>(m3, load(x + j + 3 * kLane));
  }
  for (; j + kLane <= n; j += kLane) m0 = larger<T>(m0, load(x + j));
  if (j < n) m1 = larger<T>(m1, load_padded(x + j, n - j));
  m0 = larger<T>(larger<T>(m0, m1), larger<T>(m2, m3));
  T m = m0[0];
  for (int l = 1; l < kLane; ++l) m = m0[l] > m ? m0[l] : m;
  return m;
}

/// sum_j exp(x[j] - shift)
template <class T>
MLCORE_INLINE double contiguous_sum(const T* x, Index n, T shift) noexcept {
  constexpr Index kLane = kLanes<T>;
  WideSum<T> sum;
  Index j = 0;
  while (j < n) {
    Vec<T> chunk{};
    const Index stop = n - j < kChunk * kLane ? n : j + kChunk * kLane;
    for (; j + kLane <= stop; j += kLane) chunk += exp_flushed<T>(load(x + j) - shift);
    if (j < stop) {
      chunk += exp_flushed<T>(load_padded(x + j, stop - j) - shift);
      j = stop;
    }
    sum.add(chunk);
  }
  return total<T>(sum);
}

template <class T>
void partial(const T* x, Index n, double* maximum, double* sum) noexcept {
  const T m = contiguous_maximum(x, n);
  const T shift = m - m == T(0) ? m : T(0);
  *maximum = static_cast<double>(m);
  *sum = contiguous_sum(x, n, shift);
}

MLCORE_INLINE double log_of(double x) noexcept { return log<double>(broadcast<double>(x))[0]; }

/// `lanes` rows at once, columns `stride` apart, the rows of a column contiguous. State: maximum, then sum in float64.
template <class T>
MLCORE_INLINE void lane_maximum(const T* x, Index stride, Index columns, Vec<T>& m) noexcept {
  for (Index j = 0; j < columns; ++j) m = larger<T>(m, load(x + j * stride));
}
template <class T>
MLCORE_INLINE void lane_sum(const T* x, Index stride, Index columns, Vec<T> shift, WideSum<T>& sum) noexcept {
  for (Index j = 0; j < columns; j += kChunk) {
    const Index stop = columns - j < kChunk ? columns : j + kChunk;
    Vec<T> chunk{};
    for (Index c = j; c < stop; ++c) chunk += exp_flushed<T>(load(x + c * stride) - shift);
    sum.add(chunk);
  }
}

template <class T>
MLCORE_INLINE void finish_lanes(Vec<T> shift, const WideSum<T>& sum, T* out, Index count) noexcept {
  constexpr Index kWide = kLanes<double>;
  for (Index l = 0; l < kLanes<T>; l += kWide) {
    const Vec<double> logs = log<double>(sum.part[l / kWide]);
    for (Index w = 0; w < kWide; ++w)
      if (l + w < count) out[l + w] = static_cast<T>(static_cast<double>(shift[l + w]) + logs[w]);
  }
}

// Copies columns [first, first + columns) of `count` rows into tile[column][lane]; missing rows repeat the first.
template <class T>
MLCORE_INLINE void transpose_tile(MatrixView<const T> x, Index row, Index count, Index first, Index columns,
                                  T* tile) noexcept {
  for (Index l = 0; l < kLanes<T>; ++l) {
    const T* source = x.data + (row + (l < count ? l : 0)) * x.row_stride + first * x.col_stride;
    for (Index j = 0; j < columns; ++j) tile[j * kLanes<T> + l] = source[j * x.col_stride];
  }
}

template <class T>
void rows_by_lane(MatrixView<const T> x, T* out) noexcept {
  constexpr Index kLane = kLanes<T>;
  alignas(64) T tile[kTileColumns * kLane];
  for (Index row = 0; row < x.rows; row += kLane) {
    const Index count = x.rows - row < kLane ? x.rows - row : kLane;
    const bool direct = x.row_stride == 1 && count == kLane;
    Vec<T> m = broadcast<T>(-__builtin_inf());
    WideSum<T> sum;
    if (direct) {
      const T* column = x.data + row;
      lane_maximum<T>(column, x.col_stride, x.cols, m);
      m = finite_or_zero<T>(m);
      lane_sum<T>(column, x.col_stride, x.cols, m, sum);
    } else if (x.cols <= kTileColumns) {
      transpose_tile(x, row, count, 0, x.cols, tile);
      lane_maximum<T>(tile, kLane, x.cols, m);
      m = finite_or_zero<T>(m);
      lane_sum<T>(tile, kLane, x.cols, m, sum);
    } else {
      for (Index j = 0; j < x.cols; j += kTileColumns) {
        const Index columns = x.cols - j < kTileColumns ? x.cols - j : kTileColumns;
        transpose_tile(x, row, count, j, columns, tile);
        lane_maximum<T>(tile, kLane, columns, m);
      }
      m = finite_or_zero<T>(m);
      for (Index j = 0; j < x.cols; j += kTileColumns) {
        const Index columns = x.cols - j < kTileColumns ? x.cols - j : kTileColumns;
        transpose_tile(x, row, count, j, columns, tile);
        lane_sum<T>(tile, kLane, columns, m, sum);
      }
    }
    finish_lanes<T>(m, sum, out + row, count);
  }
}

template <class T>
void rows(MatrixView<const T> x, T* out) noexcept {
  if (x.col_stride != 1 || x.cols < kShortVectors * kLanes<T>) {
    rows_by_lane(x, out);
    return;
  }
  constexpr Index kWide = kLanes<double>;
  for (Index row = 0; row < x.rows; row += kWide) {
    const Index count = x.rows - row < kWide ? x.rows - row : kWide;
    Vec<double> shift{}, sum{};
    for (Index w = 0; w < count; ++w) {
      const T m = contiguous_maximum(x.data + (row + w) * x.row_stride, x.cols);
      const T finite = m - m == T(0) ? m : T(0);
      shift[w] = static_cast<double>(finite);
      sum[w] = contiguous_sum(x.data + (row + w) * x.row_stride, x.cols, finite);
    }
    const Vec<double> result = shift + log<double>(sum);
    for (Index w = 0; w < count; ++w) out[row + w] = static_cast<T>(result[w]);
  }
}

double exp_one(double x) noexcept { return exp<double>(broadcast<double>(x))[0]; }
double log_one(double x) noexcept { return log_of(x); }

const num::LogSumExpKernels kKernels = {
    {rows<float>, partial<float>}, {rows<double>, partial<double>}, exp_one, log_one};

}  // namespace

const num::LogSumExpKernels& logsumexp_kernels() noexcept { return kKernels; }

}  // namespace mlcore::MLCORE_ISA_NAMESPACE
