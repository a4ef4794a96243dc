// Dense linear algebra in float32 and float64: the BLAS that SciPy uses, or our own kernels where there is none.
//
// The functions keep BLAS's names but take views, so that there are no transpose flags, leading dimensions or storage
// orders to get wrong: a transpose is transposed(view), a block is a view of it. Every matrix may be row- or
// column-major, with padding between its rows or columns; other strides work too, in our own (slower) kernels. Outputs
// must not overlap inputs.
//
//   gemm    C = alpha A B + beta C                     A: m x k, B: k x n, C: m x n
//   gemv    y = alpha A x + beta y                     A: m x n
//   syrk    C = alpha A A' + beta C, one triangle      A: n x k, C: n x n
//   trsm    B = alpha inv(A) B, A triangular           A: m x m, B: m x n
//   potrf   A = L L' (lower) or A = U'U (upper)        A: n x n, in place; the other triangle is left alone
//   dot, axpy (y += alpha x), nrm2 (Euclidean length without overflow)
//
// beta == 0 overwrites: C and y are not read, so they may hold NaN or nothing at all. alpha == 0 does not read A, B, x.
//
// Call these from serial code. SciPy's BLAS has a pool of threads of its own, and one pool inside another multiplies
// the threads; a call from inside a parallel region is therefore served by our own kernels, on the calling thread.
// Sizes beyond the integers of the BLAS (2^31 - 1 rows for most builds) are cut into pieces.
#pragma once
#include <array>
#include <type_traits>

#include "mlcore/base/views.hpp"

namespace mlcore::runtime::blas {

enum class Triangle { kLower, kUpper };
enum class Diagonal { kStored, kUnit };  ///< kUnit: taken as ones, not read

template <class T>
MatrixView<T> transposed(MatrixView<T> a) noexcept {
  return {a.data, a.cols, a.rows, a.col_stride, a.row_stride};
}
/// Rows [row, row + rows) and columns [col, col + cols) of a.
template <class T>
MatrixView<T> block(MatrixView<T> a, Index row, Index col, Index rows, Index cols) noexcept {
  return {a.data + row * a.row_stride + col * a.col_stride, rows, cols, a.row_stride, a.col_stride};
}

// Read-only arguments: T is deduced from the output, so that a writable view may be passed as well.
template <class T>
using Scalar = std::type_identity_t<T>;
template <class T>
using Matrix = std::type_identity_t<MatrixView<const T>>;
template <class T>
using Vector = std::type_identity_t<VectorView<const T>>;

// All of these are instantiated for float and double.
template <class T>
void gemm(Scalar<T> alpha, Matrix<T> a, Matrix<T> b, Scalar<T> beta, MatrixView<T> c);
template <class T>
void gemv(Scalar<T> alpha, Matrix<T> a, Vector<T> x, Scalar<T> beta, VectorView<T> y);
template <class T>
void syrk(Triangle triangle, Scalar<T> alpha, Matrix<T> a, Scalar<T> beta, MatrixView<T> c);
template <class T>
void trsm(Triangle triangle, Diagonal diagonal, Scalar<T> alpha, Matrix<T> a, MatrixView<T> b);
/// 0, or the order of the first leading minor that is not positive definite (then `a` is partly overwritten).
template <class T>
Index potrf(Triangle triangle, MatrixView<T> a);
template <class T>
void axpy(Scalar<T> alpha, Vector<T> x, VectorView<T> y);
template <class T>
T dot(VectorView<const T> x, VectorView<const T> y);
template <class T>
T nrm2(VectorView<const T> x);

/// The same functions by our own kernels, whether or not a BLAS is installed. Unlike SciPy's BLAS they give the same
/// bits for any number of threads: use these where that is promised and the result reaches the user.
namespace own {
template <class T>
void gemm(Scalar<T> alpha, Matrix<T> a, Matrix<T> b, Scalar<T> beta, MatrixView<T> c);
template <class T>
void gemv(Scalar<T> alpha, Matrix<T> a, Vector<T> x, Scalar<T> beta, VectorView<T> y);
template <class T>
void syrk(Triangle triangle, Scalar<T> alpha, Matrix<T> a, Scalar<T> beta, MatrixView<T> c);
template <class T>
void trsm(Triangle triangle, Diagonal diagonal, Scalar<T> alpha, Matrix<T> a, MatrixView<T> b);
template <class T>
Index potrf(Triangle triangle, MatrixView<T> a);
template <class T>
void axpy(Scalar<T> alpha, Vector<T> x, VectorView<T> y);
template <class T>
T dot(VectorView<const T> x, VectorView<const T> y);
template <class T>
T nrm2(VectorView<const T> x);
}  // namespace own

/// The functions of the table, in the order of their addresses below.
inline constexpr std::array<const char*, 8> kFunctions{"gemm", "gemv", "syrk", "trsm", "potrf", "dot", "axpy", "nrm2"};

/// Fortran entry points as plain addresses: BLAS's calling convention, integers of `int_bits` (32 or 64) bits.
struct EntryPoints {
  std::array<void*, kFunctions.size()> single{};
  std::array<void*, kFunctions.size()> real_double{};
  int int_bits = 32;
};

/// Serves all later calls with these entry points. Not to be called while another thread computes: done once, at
/// import. Throws std::invalid_argument when an address is missing.
void install(const EntryPoints& entry_points);
/// Back to our own kernels.
void uninstall() noexcept;

struct Info {
  bool installed = false;  ///< false: our own kernels serve everything
  int int_bits = 0;
};
Info info() noexcept;

/// For tests: pieces of at most `size` rows, columns or elements instead of what the integers of the BLAS hold; 0
/// resets.
void set_largest_piece(Index size) noexcept;
/// For tests and reports: calls that went to the installed BLAS so far.
Index calls_served_by_blas() noexcept;

}  // namespace mlcore::runtime::blas
