// Inner loops of our own dense linear algebra (see blas.kernels.hpp for shapes).
//
// The tile of the product is held in registers: rows x 2 vectors, so that every loaded vector of b meets `rows`
// broadcast entries of a. 24 of AVX-512's 32 registers, 12 of AVX2's 16 and 8 of SSE2's 16 hold the sums.
#include "runtime/blas.kernels.hpp"

namespace mlcore::MLCORE_ISA_NAMESPACE {

namespace {

using runtime::blas::Kernels;
using runtime::blas::KernelsOf;

#if MLCORE_ISA_LEVEL == 4
constexpr int kBytes = 64;
constexpr int kTileRows = 12;
#elif MLCORE_ISA_LEVEL == 3
constexpr int kBytes = 32;
constexpr int kTileRows = 6;
#else
constexpr int kBytes = 16;
constexpr int kTileRows = 4;
#endif
constexpr int kTileVectors = 2;

template <class T>
struct VectorOf;
template <>
struct VectorOf<float> {
  typedef float Register __attribute__((vector_size(kBytes)));
  typedef float Memory __attribute__((vector_size(kBytes), aligned(4), may_alias));
};
template <>
struct VectorOf<double> {
  typedef double Register __attribute__((vector_size(kBytes)));
  typedef double Memory __attribute__((vector_size(kBytes), aligned(8), may_alias));
};

template <class T>
constexpr int kLanes = kBytes / static_cast<int>(sizeof(T));
template <class T>
constexpr int kTileCols = kTileVectors * kLanes<T>;

template <class T>
inline __attribute__((always_inline)) typename VectorOf<T>::Register load(const T* p) noexcept {
  return *reinterpret_cast<const typename VectorOf<T>::Memory*>(p);
}
template <class T>
inline __attribute__((always_inline)) void store(T* p, typename VectorOf<T>::Register v) noexcept {
  *reinterpret_cast<typename VectorOf<T>::Memory*>(p) = v;
}

template <class T>
void tile(Index depth, const T* a, const T* b, T alpha, T beta, T* c, Index row_stride, Index col_stride, Index rows,
          Index cols) noexcept {
  using Register = typename VectorOf<T>::Register;
  constexpr int lanes = kLanes<T>;
  Register sum[kTileRows][kTileVectors] = {};
  for (Index p = 0; p < depth; ++p) {
    const Register b0 = load(b), b1 = load(b + lanes);
#pragma GCC unroll 16
    for (int i = 0; i < kTileRows; ++i) {
      const Register ai = Register{} + a[i];
      sum[i][0] += ai * b0;
      sum[i][1] += ai * b1;
    }
    a += kTileRows;
    b += kTileCols<T>;
  }
  if (rows == kTileRows && cols == kTileCols<T> && col_stride == 1) {
#pragma GCC unroll 16
    for (int i = 0; i < kTileRows; ++i) {
#pragma GCC unroll 2
      for (int v = 0; v < kTileVectors; ++v) {
        T* at = c + i * row_stride + v * lanes;
        Register value = alpha * sum[i][v];
        if (beta != T(0)) value += beta * load(at);
        store(at, value);
      }
    }
    return;
  }
  T flat[kTileRows * kTileCols<T>];
#pragma GCC unroll 16
  for (int i = 0; i < kTileRows; ++i) {
#pragma GCC unroll 2
    for (int v = 0; v < kTileVectors; ++v) store(flat + (i * kTileVectors + v) * lanes, alpha * sum[i][v]);
  }
  for (Index i = 0; i < rows; ++i)
    for (Index j = 0; j < cols; ++j) {
      T& at = c[i * row_stride + j * col_stride];
      const T value = flat[i * kTileCols<T> + j];
      at = beta == T(0) ? value : value + beta * at;
    }
}

template <class T>
T dot(Index n, const T* x, const T* y) noexcept {
  using Register = typename VectorOf<T>::Register;
  constexpr int lanes = kLanes<T>;
  constexpr int chains = 4;  // independent sums hide the latency of the addition
  Register sum[chains] = {};
  Index i = 0;
  for (; i + chains * lanes <= n; i += chains * lanes)
#pragma GCC unroll 4
    for (int chain = 0; chain < chains; ++chain)
      sum[chain] += load(x + i + chain * lanes) * load(y + i + chain * lanes);
  const Register all = (sum[0] + sum[1]) + (sum[2] + sum[3]);
  T total = T(0);
  for (int lane = 0; lane < lanes; ++lane) total += all[lane];
  for (; i < n; ++i) total += x[i] * y[i];
  return total;
}

template <class T>
void axpy(Index n, T alpha, const T* x, T* y) noexcept {
#pragma omp simd
  for (Index i = 0; i < n; ++i) y[i] += alpha * x[i];
}

template <class T>
double sum_of_squares(Index n, const T* x, double scale) noexcept {
  constexpr int chains = 16;
  double sum[chains] = {};
  Index i = 0;
  for (; i + chains <= n; i += chains)
#pragma omp simd
    for (int chain = 0; chain < chains; ++chain) {
      const double scaled = scale * static_cast<double>(x[i + chain]);
      sum[chain] += scaled * scaled;
    }
  double total = 0.0;
  for (int chain = 0; chain < chains; ++chain) total += sum[chain];
  for (; i < n; ++i) {
    const double scaled = scale * static_cast<double>(x[i]);
    total += scaled * scaled;
  }
  return total;
}

template <class T>
constexpr KernelsOf<T> kernels_of() noexcept {
  return {kTileRows, kTileCols<T>, &tile<T>, &dot<T>, &axpy<T>, &sum_of_squares<T>};
}

constexpr Kernels kTable{kernels_of<float>(), kernels_of<double>()};

}  // namespace

const Kernels& blas_kernels() noexcept { return kTable; }

}  // namespace mlcore::MLCORE_ISA_NAMESPACE
