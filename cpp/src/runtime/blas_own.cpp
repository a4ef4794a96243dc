// Dense linear algebra by our own kernels: serves where SciPy's BLAS is missing, may not be called, or cannot.
//
// Everything is built on one packed matrix product. Triangles are halved recursively until they are small, so that
// nearly all work is done by that product; an upper triangle is a lower one seen transposed or backwards.
#include <algorithm>
#include <cmath>
#include <limits>

#include "mlcore/base/buffer.hpp"
#include "mlcore/base/errors.hpp"
#include "mlcore/runtime/blas.hpp"
#include "mlcore/runtime/isa.hpp"
#include "mlcore/runtime/parallel.hpp"
#include "mlcore/runtime/threads.hpp"
#include "runtime/blas.kernels.hpp"

MLCORE_DECLARE_KERNELS(runtime::blas::Kernels, blas_kernels)

namespace mlcore::runtime::blas::own {

namespace {

const Kernels& table() noexcept { MLCORE_SELECT_KERNELS(blas_kernels) }

template <class T>
const KernelsOf<T>& kernels() noexcept {
  if constexpr (std::is_same_v<T, float>)
    return table().of_float;
  else
    return table().of_double;
}

// Pieces of the product: a block of A (kRows x kDepth) stays in the L2 cache, one of B (kDepth x kCols) in L3.
constexpr Index kDepth = 256;
constexpr Index kRows = 96;
constexpr Index kCols = 1536;
// Orders of triangles that are not halved any more.
constexpr Index kTriangle = 32;
constexpr Index kSquare = 64;

template <class T>
void scale(T beta, MatrixView<T> c) {
  if (beta == T(1)) return;
  for (Index i = 0; i < c.rows; ++i)
    for (Index j = 0; j < c.cols; ++j) c(i, j) = beta == T(0) ? T(0) : beta * c(i, j);
}

// out[panel][p][r] = a(panel * width + r, p), zeros beyond the last row.
template <class T>
void pack(MatrixView<const T> a, Index width, T* out) {
  for (Index first = 0; first < a.rows; first += width) {
    const Index rows = std::min(width, a.rows - first);
    if (a.row_stride == 1 || a.rows == 1) {
      for (Index p = 0; p < a.cols; ++p) {
        const T* column = &a(first, p);
        T* to = out + p * width;
        for (Index r = 0; r < rows; ++r) to[r] = column[r];
        for (Index r = rows; r < width; ++r) to[r] = T(0);
      }
    } else {
      for (Index r = 0; r < rows; ++r)
        for (Index p = 0; p < a.cols; ++p) out[p * width + r] = a(first + r, p);
      for (Index r = rows; r < width; ++r)
        for (Index p = 0; p < a.cols; ++p) out[p * width + r] = T(0);
    }
    out += width * a.cols;
  }
}

// Both flipped: an upper triangle becomes a lower one, and back substitution becomes forward substitution.
template <class T>
MatrixView<T> backwards(MatrixView<T> a) noexcept {
  return {a.data + (a.rows - 1) * a.row_stride + (a.cols - 1) * a.col_stride, a.rows, a.cols, -a.row_stride,
          -a.col_stride};
}
template <class T>
MatrixView<T> rows_backwards(MatrixView<T> a) noexcept {
  return {a.data + (a.rows - 1) * a.row_stride, a.rows, a.cols, -a.row_stride, a.col_stride};
}

template <class T>
void syrk_lower(T alpha, MatrixView<const T> a, T beta, MatrixView<T> c) {
  const Index n = c.rows;
  if (n <= kSquare) {
    Buffer<T> memory({n, n});
    const MatrixView<T> product = row_major(memory.data(), n, n);
    gemm(alpha, a, transposed(a), T(0), product);
    for (Index i = 0; i < n; ++i)
      for (Index j = 0; j <= i; ++j) c(i, j) = beta == T(0) ? product(i, j) : product(i, j) + beta * c(i, j);
    return;
  }
  const Index half = n / 2, rest = n - half;
  const MatrixView<const T> above = block(a, 0, 0, half, a.cols), below = block(a, half, 0, rest, a.cols);
  syrk_lower(alpha, above, beta, block(c, 0, 0, half, half));
  gemm(alpha, below, transposed(above), beta, block(c, half, 0, rest, half));
  syrk_lower(alpha, below, beta, block(c, half, half, rest, rest));
}

template <class T>
void trsm_lower(Diagonal diagonal, T alpha, MatrixView<const T> a, MatrixView<T> b) {
  const Index m = a.rows;
  if (m > kTriangle) {
    const Index half = m / 2, rest = m - half;
    const MatrixView<T> above = block(b, 0, 0, half, b.cols), below = block(b, half, 0, rest, b.cols);
    trsm_lower(diagonal, alpha, block(a, 0, 0, half, half), above);
    gemm(T(-1), block(a, half, 0, rest, half), above, alpha, below);
    trsm_lower(diagonal, T(1), block(a, half, half, rest, rest), below);
    return;
  }
  const bool by_rows = b.col_stride == 1;
  for (Index i = 0; i < m; ++i) {
    const T divisor = diagonal == Diagonal::kUnit ? T(1) : a(i, i);
    if (by_rows) {
      for (Index j = 0; j < b.cols; ++j) b(i, j) *= alpha;
      for (Index p = 0; p < i; ++p) kernels<T>().axpy(b.cols, -a(i, p), b.row(p), b.row(i));
      for (Index j = 0; j < b.cols; ++j) b(i, j) /= divisor;
    } else {
      for (Index j = 0; j < b.cols; ++j) {
        T value = alpha * b(i, j);
        for (Index p = 0; p < i; ++p) value -= a(i, p) * b(p, j);
        b(i, j) = value / divisor;
      }
    }
  }
}

template <class T>
Index potrf_lower(MatrixView<T> a) {
  const Index n = a.rows;
  if (n > kTriangle) {
    const Index half = n / 2, rest = n - half;
    const MatrixView<T> corner = block(a, 0, 0, half, half), below = block(a, half, 0, rest, half);
    if (const Index failed = potrf_lower(corner); failed != 0) return failed;
    trsm_lower(Diagonal::kStored, T(1), MatrixView<const T>(corner), transposed(below));
    const MatrixView<T> last = block(a, half, half, rest, rest);
    syrk_lower(T(-1), MatrixView<const T>(below), T(1), last);
    const Index failed = potrf_lower(last);
    return failed == 0 ? 0 : half + failed;
  }
  for (Index j = 0; j < n; ++j) {
    T pivot = a(j, j);
    for (Index p = 0; p < j; ++p) pivot -= a(j, p) * a(j, p);
    if (!(pivot > T(0))) return j + 1;  // NaN as well
    pivot = std::sqrt(pivot);
    a(j, j) = pivot;
    for (Index i = j + 1; i < n; ++i) {
      T value = a(i, j);
      for (Index p = 0; p < j; ++p) value -= a(i, p) * a(j, p);
      a(i, j) = value / pivot;
    }
  }
  return 0;
}

}  // namespace

template <class T>
void gemm(Scalar<T> alpha, Matrix<T> a, Matrix<T> b, Scalar<T> beta, MatrixView<T> c) {
  require(a.rows == c.rows && b.cols == c.cols && a.cols == b.rows, "gemm: shapes do not match");
  if (c.rows == 0 || c.cols == 0) return;
  if (alpha == T(0) || a.cols == 0) return scale(beta, c);
  // Tiles are written row by row.
  if (c.col_stride != 1 && c.row_stride == 1) return gemm(alpha, transposed(b), transposed(a), beta, transposed(c));
  const KernelsOf<T>& kernel = kernels<T>();
  const Index depth = std::min(kDepth, a.cols);
  const Index block_rows = std::min(round_up(kRows, kernel.tile_rows), round_up(c.rows, kernel.tile_rows));
  const Index block_cols = std::min(round_up(kCols, kernel.tile_cols), round_up(c.cols, kernel.tile_cols));
  const Index blocks = ceil_div(c.rows, block_rows);
  Buffer<T> packed_b({block_cols, depth});
  for (Index j0 = 0; j0 < c.cols; j0 += block_cols) {
    const Index cols = std::min(block_cols, c.cols - j0);
    for (Index p0 = 0; p0 < a.cols; p0 += depth) {
      const Index inner = std::min(depth, a.cols - p0);
      pack(transposed(block(b, p0, j0, inner, cols)), kernel.tile_cols, packed_b.data());
      const T keep = p0 == 0 ? beta : T(1);
      // About 25 multiplications a nanosecond.
      const double work_ns =
          0.04 * static_cast<double>(c.rows) * static_cast<double>(cols) * static_cast<double>(inner);
      const int threads = threads_for_work(resolve_threads(0).threads, work_ns);
      parallel_for(blocks, threads, [&](Index which) {
        const Index i0 = which * block_rows, rows = std::min(block_rows, c.rows - i0);
        Buffer<T> packed_a({block_rows, inner});
        pack(block(a, i0, p0, rows, inner), kernel.tile_rows, packed_a.data());
        for (Index j = 0; j < cols; j += kernel.tile_cols)
          for (Index i = 0; i < rows; i += kernel.tile_rows)
            kernel.tile(inner, packed_a.data() + i * inner, packed_b.data() + j * inner, alpha, keep,
                        &c(i0 + i, j0 + j), c.row_stride, c.col_stride, std::min(kernel.tile_rows, rows - i),
                        std::min(kernel.tile_cols, cols - j));
      });
    }
  }
}

template <class T>
void gemv(Scalar<T> alpha, Matrix<T> a, Vector<T> x, Scalar<T> beta, VectorView<T> y) {
  require(a.cols == x.size && a.rows == y.size, "gemv: shapes do not match");
  if (y.size == 0) return;
  scale(beta, row_major(y.data, 1, y.size));
  if (alpha == T(0)) return;
  const KernelsOf<T>& kernel = kernels<T>();
  if (a.col_stride == 1) {
    for (Index i = 0; i < a.rows; ++i) y[i] += alpha * kernel.dot(a.cols, a.row(i), x.data);
  } else if (a.row_stride == 1) {
    for (Index j = 0; j < a.cols; ++j) kernel.axpy(a.rows, alpha * x[j], &a(0, j), y.data);
  } else {
    for (Index i = 0; i < a.rows; ++i) {
      T sum = T(0);
      for (Index j = 0; j < a.cols; ++j) sum += a(i, j) * x[j];
      y[i] += alpha * sum;
    }
  }
}

template <class T>
void syrk(Triangle triangle, Scalar<T> alpha, Matrix<T> a, Scalar<T> beta, MatrixView<T> c) {
  require(c.rows == c.cols && a.rows == c.rows, "syrk: shapes do not match");
  if (c.rows == 0) return;
  syrk_lower(alpha, a, beta, triangle == Triangle::kLower ? c : transposed(c));
}

template <class T>
void trsm(Triangle triangle, Diagonal diagonal, Scalar<T> alpha, Matrix<T> a, MatrixView<T> b) {
  require(a.rows == a.cols && a.rows == b.rows, "trsm: shapes do not match");
  if (b.rows == 0 || b.cols == 0) return;
  if (alpha == T(0)) return scale(T(0), b);
  if (triangle == Triangle::kLower)
    trsm_lower(diagonal, alpha, a, b);
  else
    trsm_lower(diagonal, alpha, backwards(a), rows_backwards(b));
}

template <class T>
Index potrf(Triangle triangle, MatrixView<T> a) {
  require(a.rows == a.cols, "potrf: the matrix is not square");
  if (a.rows == 0) return 0;
  return potrf_lower(triangle == Triangle::kLower ? a : transposed(a));
}

template <class T>
void axpy(Scalar<T> alpha, Vector<T> x, VectorView<T> y) {
  require(x.size == y.size, "axpy: shapes do not match");
  if (alpha != T(0)) kernels<T>().axpy(x.size, alpha, x.data, y.data);
}

template <class T>
T dot(VectorView<const T> x, VectorView<const T> y) {
  require(x.size == y.size, "dot: shapes do not match");
  return kernels<T>().dot(x.size, x.data, y.data);
}

template <class T>
T nrm2(VectorView<const T> x) {
  const double sum = kernels<T>().sum_of_squares(x.size, x.data, 1.0);
  // Squares of float32 neither overflow nor underflow in double precision.
  if constexpr (std::is_same_v<T, float>) return static_cast<float>(std::sqrt(sum));
  // Below the lower bound, squares may have lost digits to underflow.
  if (sum < std::numeric_limits<double>::infinity() && sum > 1e-280) return static_cast<T>(std::sqrt(sum));
  double largest = 0.0;
  for (Index i = 0; i < x.size; ++i) {
    const double size = std::abs(static_cast<double>(x[i]));
    if (std::isnan(size)) return std::numeric_limits<T>::quiet_NaN();
    largest = std::max(largest, size);
  }
  if (largest == 0.0 || std::isinf(largest)) return static_cast<T>(largest);
  // A power of two scales without rounding; 2^1000 is enough for the smallest subnormal number.
  const double factor = std::ldexp(1.0, std::min(1000, -std::ilogb(largest)));
  return static_cast<T>(std::sqrt(kernels<T>().sum_of_squares(x.size, x.data, factor)) / factor);
}

#define MLCORE_INSTANTIATE(T)                                                       \
  template void gemm<T>(Scalar<T>, Matrix<T>, Matrix<T>, Scalar<T>, MatrixView<T>); \
  template void gemv<T>(Scalar<T>, Matrix<T>, Vector<T>, Scalar<T>, VectorView<T>); \
  template void syrk<T>(Triangle, Scalar<T>, Matrix<T>, Scalar<T>, MatrixView<T>);  \
  template void trsm<T>(Triangle, Diagonal, Scalar<T>, Matrix<T>, MatrixView<T>);   \
  template Index potrf<T>(Triangle, MatrixView<T>);                                 \
  template void axpy<T>(Scalar<T>, Vector<T>, VectorView<T>);                       \
  template T dot<T>(VectorView<const T>, VectorView<const T>);                      \
  template T nrm2<T>(VectorView<const T>);
MLCORE_INSTANTIATE(float)
MLCORE_INSTANTIATE(double)

}  // namespace mlcore::runtime::blas::own
