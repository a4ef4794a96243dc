// Views to BLAS calls: storage order, leading dimensions, integer width, sizes too large for the integers.
#include "mlcore/runtime/blas.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <limits>
#include <stdexcept>

#include "mlcore/base/errors.hpp"
#include "mlcore/runtime/parallel.hpp"

namespace mlcore::runtime::blas {

namespace {

enum Function { kGemm, kGemv, kSyrk, kTrsm, kPotrf, kDot, kAxpy, kNrm2 };

EntryPoints entry;
std::atomic<bool> installed{false};
std::atomic<Index> piece_for_tests{0};
std::atomic<Index> served{0};

bool blas_may_serve() noexcept { return installed.load(std::memory_order_acquire) && !in_parallel_region(); }

Index largest_int() noexcept {
  return entry.int_bits == 32 ? Index{std::numeric_limits<std::int32_t>::max()} : std::numeric_limits<Index>::max();
}

Index largest_piece() noexcept {
  const Index wanted = piece_for_tests.load(std::memory_order_relaxed);
  return wanted > 0 ? wanted : largest_int();
}

// An integer argument: passed by address, as wide as the installed BLAS reads it. One call path serves both widths,
// because an address is an address to the calling convention.
class Int {
 public:
  explicit Int(Index value) noexcept {
    if (entry.int_bits == 32) {
      const auto narrow = static_cast<std::int32_t>(value);
      std::memcpy(bytes_, &narrow, sizeof narrow);
    } else {
      const auto wide = static_cast<std::int64_t>(value);
      std::memcpy(bytes_, &wide, sizeof wide);
    }
  }
  operator void*() noexcept { return bytes_; }
  Index value() const noexcept {
    if (entry.int_bits == 32) {
      std::int32_t narrow;
      std::memcpy(&narrow, bytes_, sizeof narrow);
      return narrow;
    }
    std::int64_t wide;
    std::memcpy(&wide, bytes_, sizeof wide);
    return wide;
  }

 private:
  alignas(8) unsigned char bytes_[8];
};

// Signatures of the Fortran functions; they change nothing that is input, but are not declared const.
template <class T>
struct Signature {
  using gemm = void(char*, char*, void*, void*, void*, T*, T*, void*, T*, void*, T*, T*, void*);
  using gemv = void(char*, void*, void*, T*, T*, void*, T*, void*, T*, T*, void*);
  using syrk = void(char*, char*, void*, void*, T*, T*, void*, T*, T*, void*);
  using trsm = void(char*, char*, char*, char*, void*, void*, T*, T*, void*, T*, void*);
  using potrf = void(char*, void*, T*, void*, void*);
  using dot = T(void*, T*, void*, T*, void*);
  using axpy = void(void*, T*, T*, void*, T*, void*);
  using nrm2 = T(void*, T*, void*);
};

template <class F, class T>
F* function(Function which) noexcept {
  served.fetch_add(1, std::memory_order_relaxed);
  const auto& addresses = std::is_same_v<T, float> ? entry.single : entry.real_double;
  return reinterpret_cast<F*>(addresses[which]);
}

// A matrix as Fortran sees it: columns of unit stride, `ld` apart; or the transpose of such a matrix.
template <class T>
struct Stored {
  T* data = nullptr;
  Index ld = 0;  // 0: neither
  bool is_transposed = false;

  explicit operator bool() const noexcept { return ld > 0; }
  char op() const noexcept { return is_transposed ? 'T' : 'N'; }
  std::remove_const_t<T>* address() const noexcept { return const_cast<std::remove_const_t<T>*>(data); }
};

template <class T>
Stored<T> by_columns(MatrixView<T> a) noexcept {
  if (a.row_stride != 1 && a.rows != 1) return {};
  const Index ld = a.cols <= 1 ? std::max<Index>(1, a.rows) : a.col_stride;
  return ld >= a.rows && ld >= 1 && ld <= largest_int() ? Stored<T>{a.data, ld, false} : Stored<T>{};
}

template <class T>
Stored<T> either_way(MatrixView<T> a) noexcept {
  if (const Stored<T> stored = by_columns(a)) return stored;
  Stored<T> stored = by_columns(transposed(a));
  stored.is_transposed = true;
  return stored;
}

Triangle flipped(Triangle triangle) noexcept {
  return triangle == Triangle::kLower ? Triangle::kUpper : Triangle::kLower;
}
char letter(Triangle triangle) noexcept { return triangle == Triangle::kLower ? 'L' : 'U'; }

// fn(first, count) for pieces of [0, n).
template <class Fn>
void in_pieces(Index n, Fn&& fn) {
  const Index piece = largest_piece();
  for (Index first = 0; first < n; first += std::min(piece, n - first)) fn(first, std::min(piece, n - first));
}

template <class T>
void call_gemm(T alpha, Stored<const T> a, Stored<const T> b, T beta, Stored<T> c, Index rows, Index cols,
               Index depth) {
  Int m(rows), n(cols), k(depth), lda(a.ld), ldb(b.ld), ldc(c.ld);
  char op_a = a.op(), op_b = b.op();
  function<typename Signature<T>::gemm, T>(kGemm)(&op_a, &op_b, m, n, k, &alpha, a.address(), lda, b.address(), ldb,
                                                  &beta, c.data, ldc);
}

// C is stored by columns. False when a stride is not BLAS's.
template <class T>
bool try_gemm(T alpha, MatrixView<const T> a, MatrixView<const T> b, T beta, MatrixView<T> c) {
  if (!either_way(a) || !either_way(b) || !by_columns(c)) return false;
  in_pieces(c.cols, [&](Index j, Index cols) {
    in_pieces(c.rows, [&](Index i, Index rows) {
      in_pieces(a.cols, [&](Index p, Index depth) {
        call_gemm(alpha, either_way(block(a, i, p, rows, depth)), either_way(block(b, p, j, depth, cols)),
                  p == 0 ? beta : T(1), by_columns(block(c, i, j, rows, cols)), rows, cols, depth);
      });
    });
  });
  return true;
}

template <class T>
bool try_syrk(Triangle triangle, T alpha, MatrixView<const T> a, T beta, MatrixView<T> c) {
  if (!either_way(a) || c.rows > largest_piece()) return false;
  Stored<T> to = by_columns(c);
  if (!to) {
    to = by_columns(transposed(c));
    triangle = flipped(triangle);
  }
  if (!to) return false;
  in_pieces(a.cols, [&](Index p, Index depth) {
    const Stored<const T> from = either_way(block(a, 0, p, a.rows, depth));
    Int n(c.rows), k(depth), lda(from.ld), ldc(to.ld);
    char uplo = letter(triangle), op = from.op();
    T keep = p == 0 ? beta : T(1);
    function<typename Signature<T>::syrk, T>(kSyrk)(&uplo, &op, n, k, &alpha, from.address(), lda, &keep, to.data, ldc);
  });
  return true;
}

template <class T>
bool try_trsm(Triangle triangle, Diagonal diagonal, T alpha, MatrixView<const T> a, MatrixView<T> b) {
  const Stored<const T> from = either_way(a);
  const bool from_left = static_cast<bool>(by_columns(b));
  if (!from || a.rows > largest_piece() || (!from_left && !by_columns(transposed(b)))) return false;
  // B stored by rows: its transpose is, to BLAS, a matrix by columns that solves X' A' = alpha B'.
  char side = from_left ? 'L' : 'R';
  char uplo = letter(from.is_transposed ? flipped(triangle) : triangle);
  char op = from.is_transposed == from_left ? 'T' : 'N';
  char diag = diagonal == Diagonal::kUnit ? 'U' : 'N';
  in_pieces(b.cols, [&](Index j, Index cols) {
    const MatrixView<T> part = block(b, 0, j, b.rows, cols);
    const Stored<T> to = by_columns(from_left ? part : transposed(part));
    Int m(from_left ? b.rows : cols), n(from_left ? cols : b.rows), lda(from.ld), ldb(to.ld);
    function<typename Signature<T>::trsm, T>(kTrsm)(&side, &uplo, &op, &diag, m, n, &alpha, from.address(), lda,
                                                    to.data, ldb);
  });
  return true;
}

}  // namespace

void install(const EntryPoints& entry_points) {
  require(entry_points.int_bits == 32 || entry_points.int_bits == 64, "BLAS integers must have 32 or 64 bits");
  for (std::size_t f = 0; f < kFunctions.size(); ++f)
    require(entry_points.single[f] != nullptr && entry_points.real_double[f] != nullptr, "BLAS entry point missing");
  entry = entry_points;
  installed.store(true, std::memory_order_release);
}

void uninstall() noexcept { installed.store(false, std::memory_order_release); }

Info info() noexcept {
  const bool on = installed.load(std::memory_order_acquire);
  return {on, on ? entry.int_bits : 0};
}

void set_largest_piece(Index size) noexcept { piece_for_tests.store(size); }
Index calls_served_by_blas() noexcept { return served.load(); }

template <class T>
void gemm(Scalar<T> alpha, Matrix<T> a, Matrix<T> b, Scalar<T> beta, MatrixView<T> c) {
  require(a.rows == c.rows && b.cols == c.cols && a.cols == b.rows, "gemm: shapes do not match");
  if (c.rows == 0 || c.cols == 0) return;
  if (alpha != T(0) && a.cols > 0 && blas_may_serve()) {
    if (try_gemm(alpha, a, b, beta, c)) return;
    if (try_gemm(alpha, transposed(b), transposed(a), beta, transposed(c))) return;
  }
  own::gemm(alpha, a, b, beta, c);
}

template <class T>
void gemv(Scalar<T> alpha, Matrix<T> a, Vector<T> x, Scalar<T> beta, VectorView<T> y) {
  require(a.cols == x.size && a.rows == y.size, "gemv: shapes do not match");
  const bool something_to_add = y.size > 0 && x.size > 0 && alpha != T(0);
  if (!something_to_add || !blas_may_serve() || !either_way(a)) return own::gemv(alpha, a, x, beta, y);
  // beta is applied here: libraries differ in whether beta == 0 overwrites a NaN in y.
  for (Index i = 0; i < y.size; ++i) y[i] = beta == T(0) ? T(0) : beta * y[i];
  in_pieces(a.rows, [&](Index i, Index rows) {
    in_pieces(a.cols, [&](Index j, Index cols) {
      const Stored<const T> from = either_way(block(a, i, j, rows, cols));
      Int m(from.is_transposed ? cols : rows), n(from.is_transposed ? rows : cols), lda(from.ld), one(1);
      char op = from.op();
      T add = T(1), factor = alpha;
      function<typename Signature<T>::gemv, T>(kGemv)(&op, m, n, &factor, from.address(), lda,
                                                      const_cast<T*>(x.data + j), one, &add, y.data + i, one);
    });
  });
}

template <class T>
void syrk(Triangle triangle, Scalar<T> alpha, Matrix<T> a, Scalar<T> beta, MatrixView<T> c) {
  require(c.rows == c.cols && a.rows == c.rows, "syrk: shapes do not match");
  if (c.rows == 0) return;
  if (alpha != T(0) && a.cols > 0 && blas_may_serve() && try_syrk(triangle, alpha, a, beta, c)) return;
  own::syrk(triangle, alpha, a, beta, c);
}

template <class T>
void trsm(Triangle triangle, Diagonal diagonal, Scalar<T> alpha, Matrix<T> a, MatrixView<T> b) {
  require(a.rows == a.cols && a.rows == b.rows, "trsm: shapes do not match");
  if (b.rows == 0 || b.cols == 0) return;
  if (alpha != T(0) && blas_may_serve() && try_trsm(triangle, diagonal, alpha, a, b)) return;
  own::trsm(triangle, diagonal, alpha, a, b);
}

template <class T>
Index potrf(Triangle triangle, MatrixView<T> a) {
  require(a.rows == a.cols, "potrf: the matrix is not square");
  if (a.rows == 0) return 0;
  const Stored<T> stored = either_way(a);
  if (!blas_may_serve() || !stored || a.rows > largest_piece()) return own::potrf(triangle, a);
  char uplo = letter(stored.is_transposed ? flipped(triangle) : triangle);
  Int n(a.rows), lda(stored.ld), status(0);
  function<typename Signature<T>::potrf, T>(kPotrf)(&uplo, n, stored.data, lda, status);
  if (status.value() < 0) throw std::logic_error("potrf: wrong argument");
  if (status.value() > 0) return status.value();
  // Not every library notices a NaN.
  for (Index i = 0; i < a.rows; ++i)
    if (!(a(i, i) > T(0))) return i + 1;
  return 0;
}

template <class T>
void axpy(Scalar<T> alpha, Vector<T> x, VectorView<T> y) {
  require(x.size == y.size, "axpy: shapes do not match");
  if (alpha == T(0) || !blas_may_serve()) return own::axpy(alpha, x, y);
  in_pieces(x.size, [&](Index first, Index count) {
    Int n(count), one(1);
    T factor = alpha;
    function<typename Signature<T>::axpy, T>(kAxpy)(n, &factor, const_cast<T*>(x.data + first), one, y.data + first,
                                                    one);
  });
}

template <class T>
T dot(VectorView<const T> x, VectorView<const T> y) {
  require(x.size == y.size, "dot: shapes do not match");
  if (!blas_may_serve()) return own::dot(x, y);
  T sum = T(0);
  in_pieces(x.size, [&](Index first, Index count) {
    Int n(count), one(1);
    sum += function<typename Signature<T>::dot, T>(kDot)(n, const_cast<T*>(x.data + first), one,
                                                         const_cast<T*>(y.data + first), one);
  });
  return sum;
}

template <class T>
T nrm2(VectorView<const T> x) {
  if (!blas_may_serve()) return own::nrm2(x);
  double length = 0.0;
  in_pieces(x.size, [&](Index first, Index count) {
    Int n(count), one(1);
    const T part = function<typename Signature<T>::nrm2, T>(kNrm2)(n, const_cast<T*>(x.data + first), one);
    length = first == 0 ? static_cast<double>(part) : std::hypot(length, static_cast<double>(part));
  });
  return static_cast<T>(length);
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

}  // namespace mlcore::runtime::blas
