// Inner loops of the linear machines. A dot product runs in four vectors of partial sums, so that it waits for memory
// and not for the latency of an addition; their order is fixed.
#include "mlcore/num/simd.hpp"
#include "svm/linear.kernels.hpp"

namespace mlcore::MLCORE_ISA_NAMESPACE {

namespace {

using svm::LinearKernels;

MLCORE_INLINE Vec<double> widened(const double* p) noexcept { return load(p); }
MLCORE_INLINE Vec<double> widened(const float* p) noexcept {
  typedef float Half __attribute__((vector_size(kVectorBytes / 2)));
  typedef float Unaligned __attribute__((vector_size(kVectorBytes / 2), aligned(4), may_alias));
  return __builtin_convertvector(static_cast<Half>(*reinterpret_cast<const Unaligned*>(p)), Vec<double>);
}

template <class T>
double dot(Index n, const T* x, const double* w) noexcept {
  constexpr int lanes = kLanes<double>, sums = 4;
  Vec<double> sum[sums] = {};
  Index j = 0;
  for (; j + sums * lanes <= n; j += sums * lanes)
#pragma GCC unroll 4
    for (int s = 0; s < sums; ++s) sum[s] += widened(x + j + s * lanes) * load(w + j + s * lanes);
  for (; j + lanes <= n; j += lanes) sum[0] += widened(x + j) * load(w + j);
  const Vec<double> all = (sum[0] + sum[1]) + (sum[2] + sum[3]);
  double total = 0.0;
  for (int lane = 0; lane < lanes; ++lane) total += all[lane];
  for (; j < n; ++j) total += static_cast<double>(x[j]) * w[j];
  return total;
}

template <class T>
double sparse_dot(Index entries, const T* x, const std::int32_t* indices, const double* w) noexcept {
  double sum[4] = {};
  Index e = 0;
  for (; e + 4 <= entries; e += 4)
#pragma GCC unroll 4
    for (int s = 0; s < 4; ++s) sum[s] += static_cast<double>(x[e + s]) * w[indices[e + s]];
  for (; e < entries; ++e) sum[0] += static_cast<double>(x[e]) * w[indices[e]];
  return (sum[0] + sum[1]) + (sum[2] + sum[3]);
}

template <class T>
void add(Index n, double a, const T* x, double* w) noexcept {
  constexpr int lanes = kLanes<double>;
  const Vec<double> by = broadcast<double>(a);
  Index j = 0;
  for (; j + lanes <= n; j += lanes) store(w + j, load(w + j) + by * widened(x + j));
  for (; j < n; ++j) w[j] += a * static_cast<double>(x[j]);
}

template <class T>
void sparse_add(Index entries, double a, const T* x, const std::int32_t* indices, double* w) noexcept {
  for (Index e = 0; e < entries; ++e) w[indices[e]] += a * static_cast<double>(x[e]);
}

constexpr LinearKernels<float> kFloat = {&dot<float>, &sparse_dot<float>, &add<float>, &sparse_add<float>};
constexpr LinearKernels<double> kDouble = {&dot<double>, &sparse_dot<double>, &add<double>, &sparse_add<double>};

}  // namespace

const LinearKernels<float>& linear_kernels_f32() noexcept { return kFloat; }
const LinearKernels<double>& linear_kernels_f64() noexcept { return kDouble; }

}  // namespace mlcore::MLCORE_ISA_NAMESPACE
