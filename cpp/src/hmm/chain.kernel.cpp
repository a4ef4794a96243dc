// Forward and backward recursion: sequences in the lanes, one step of all of them at a time.
//
//   forward   a_t(j) = b_t(j) sum_i a_{t-1}(i) s_{t-1} A_ij,   S_t = sum_j a_t(j),   s_t = 2^-floor(log2 S_t)
//   backward  u_t = beta_t s_t,  gamma_t = a_t u_t,  beta_{t-1}(i) = sum_j A_ij b_t(j) u_t(j)
//
// With the sequence in the lane nothing is horizontal and no state is padded. Scales are powers of two: they come from
// the exponent of the sum in two integer operations, where a division would sit on the chain of dependent operations
// from step to step; they round nothing; and the log-likelihood is a sum of integers and one logarithm at the end.
#include "hmm/scales.hpp"
#include "hmm/semiring.hpp"

namespace mlcore::MLCORE_ISA_NAMESPACE {
namespace {

using hmm::BackwardStep;
using hmm::ForwardStep;

// ---- forward ----

template <int kStates>
MLCORE_INLINE void forward_static(const ForwardStep& s) noexcept {
  for (Index p = 0; p < kGroup; p += kPart) {
    V a[kStates], scale = load(s.carry_scale + p);
#pragma GCC unroll 16
    for (int j = 0; j < kStates; ++j) a[j] = load(s.carry + j * kGroup + p);
    for (Index t = 0; t < s.steps; ++t) {
      const double* b = s.likelihood + t * kStates * kGroup + p;
      V next[kStates];
      if (t == 0 && s.initial != nullptr) {
#pragma GCC unroll 16
        for (int j = 0; j < kStates; ++j) next[j] = load(s.initial + j * kGroup + p) * load(b + j * kGroup);
      } else {
#pragma GCC unroll 16
        for (int j = 0; j < kStates; ++j) next[j] = a[0] * s.transitions[j];
#pragma GCC unroll 16
        for (int i = 1; i < kStates; ++i)
#pragma GCC unroll 16
          for (int j = 0; j < kStates; ++j) next[j] += a[i] * s.transitions[i * kStates + j];
#pragma GCC unroll 16
        for (int j = 0; j < kStates; ++j) next[j] *= load(b + j * kGroup) * scale;
      }
      double* alpha = s.alpha + t * kStates * kGroup + p;
      V sum[kStates];
#pragma GCC unroll 16
      for (int j = 0; j < kStates; ++j) {
        store(alpha + j * kGroup, next[j]);
        a[j] = sum[j] = next[j];
      }
#pragma GCC unroll 4
      for (int width = 1; width < kStates; width *= 2)
#pragma GCC unroll 16
        for (int j = 0; j + width < kStates; j += 2 * width) sum[j] += sum[j + width];
      scale = scale_of(sum[0]);
      store(s.sums + t * kGroup + p, sum[0]);
      store(s.scale + t * kGroup + p, scale);
    }
#pragma GCC unroll 16
    for (int j = 0; j < kStates; ++j) store(s.carry + j * kGroup + p, a[j]);
    store(s.carry_scale + p, scale);
  }
}

void forward_any(const ForwardStep& s) noexcept {
  const Index k = s.states, plane = k * kGroup;
  for (Index p = 0; p < kGroup; p += kPart) {
    const double* before = s.carry + p;
    V scale = load(s.carry_scale + p);
    for (Index t = 0; t < s.steps; ++t) {
      const double* b = s.likelihood + t * plane + p;
      double* alpha = s.alpha + t * plane + p;
      V sum{}, sum_odd{};
      if (t == 0 && s.initial != nullptr) {
        for (Index j = 0; j < k; ++j) {
          const V value = load(s.initial + j * kGroup + p) * load(b + j * kGroup);
          store(alpha + j * kGroup, value);
          sum += value;
        }
      } else {
        if (s.into != nullptr)
          mix_edges<SumProduct>(*s.into, k, before, alpha, 0.0);
        else
          mix<SumProduct>(s.transitions, k, before, alpha);
        Index j = 0;
        for (; j + 1 < k; j += 2) {
          const V even = load(alpha + j * kGroup) * (load(b + j * kGroup) * scale);
          const V odd = load(alpha + (j + 1) * kGroup) * (load(b + (j + 1) * kGroup) * scale);
          store(alpha + j * kGroup, even);
          store(alpha + (j + 1) * kGroup, odd);
          sum += even;
          sum_odd += odd;
        }
        if (j < k) {
          const V value = load(alpha + j * kGroup) * (load(b + j * kGroup) * scale);
          store(alpha + j * kGroup, value);
          sum += value;
        }
      }
      sum += sum_odd;
      scale = scale_of(sum);
      store(s.sums + t * kGroup + p, sum);
      store(s.scale + t * kGroup + p, scale);
      before = alpha;
    }
    if (s.steps > 0)
      for (Index j = 0; j < k; ++j) store(s.carry + j * kGroup + p, load(before + j * kGroup));
    store(s.carry_scale + p, scale);
  }
}

void forward(const ForwardStep& s) noexcept { MLCORE_HMM_BY_STATES(s.states, forward_static, forward_any, s) }

// ---- backward ----

template <int kStates>
MLCORE_INLINE void backward_static(const BackwardStep& s) noexcept {
  for (Index p = 0; p < kGroup; p += kPart) {
    V beta[kStates];
    const V ends = load(s.ends + p);
#pragma GCC unroll 16
    for (int j = 0; j < kStates; ++j) beta[j] = load(s.beta + j * kGroup + p);
    for (Index t = s.steps - 1; t >= 0; --t) {
      const Index offset = t * kStates * kGroup + p;
      if (s.first + t >= s.earliest_end) {
        const auto over = broadcast(static_cast<double>(s.first + t)) >= ends;
#pragma GCC unroll 16
        for (int j = 0; j < kStates; ++j) beta[j] = over ? load(s.terminal + j * kGroup + p) : beta[j];
      }
      const V scale = zero_or(load(s.scale + t * kGroup + p));
      const V earlier = zero_or(load(s.scale + (t - 1) * kGroup + p));
      V arrival[kStates];
#pragma GCC unroll 16
      for (int j = 0; j < kStates; ++j) {
        const V u = beta[j] * scale;
        store(s.posterior + offset + j * kGroup, load(s.alpha + offset + j * kGroup) * u);
        arrival[j] = load(s.likelihood + offset + j * kGroup) * u;
        if (s.arrivals != nullptr) store(s.arrivals + offset + j * kGroup, arrival[j] * earlier);
      }
#pragma GCC unroll 16
      for (int i = 0; i < kStates; ++i) beta[i] = arrival[0] * s.transposed[i];
#pragma GCC unroll 16
      for (int j = 1; j < kStates; ++j)
#pragma GCC unroll 16
        for (int i = 0; i < kStates; ++i) beta[i] += arrival[j] * s.transposed[j * kStates + i];
    }
#pragma GCC unroll 16
    for (int j = 0; j < kStates; ++j) store(s.beta + j * kGroup + p, beta[j]);
  }
}

void backward_any(const BackwardStep& s) noexcept {
  const Index k = s.states, plane = k * kGroup;
  for (Index p = 0; p < kGroup; p += kPart) {
    const V ends = load(s.ends + p);
    for (Index t = s.steps - 1; t >= 0; --t) {
      const double* b = s.likelihood + t * plane + p;
      const double* alpha = s.alpha + t * plane + p;
      double* posterior = s.posterior + t * plane + p;
      double* beta = s.beta + p;
      if (s.first + t >= s.earliest_end) {
        const auto over = broadcast(static_cast<double>(s.first + t)) >= ends;
        for (Index j = 0; j < k; ++j) {
          const V now = load(beta + j * kGroup);
          store(beta + j * kGroup, over ? load(s.terminal + j * kGroup + p) : now);
        }
      }
      const V scale = zero_or(load(s.scale + t * kGroup + p));
      // The posterior's plane first holds b_t u_t, the input of the product.
      for (Index j = 0; j < k; ++j)
        store(posterior + j * kGroup, load(b + j * kGroup) * (load(beta + j * kGroup) * scale));
      if (s.arrivals != nullptr) {
        const V earlier = zero_or(load(s.scale + (t - 1) * kGroup + p));
        double* arrivals = s.arrivals + t * plane + p;
        for (Index j = 0; j < k; ++j) store(arrivals + j * kGroup, load(posterior + j * kGroup) * earlier);
      }
      // beta_t is needed until its posterior is made, so the product goes through a spare plane.
      double* spare = s.beta + plane + p;
      if (s.out_of != nullptr)
        mix_edges<SumProduct>(*s.out_of, k, posterior, spare, 0.0);
      else
        mix<SumProduct>(s.transposed, k, posterior, spare);
      for (Index j = 0; j < k; ++j) {
        const V u = load(beta + j * kGroup) * scale;
        store(posterior + j * kGroup, load(alpha + j * kGroup) * u);
        store(beta + j * kGroup, load(spare + j * kGroup));
      }
    }
  }
}

void backward(const BackwardStep& s) noexcept { MLCORE_HMM_BY_STATES(s.states, backward_static, backward_any, s) }

constexpr hmm::ChainKernels kTable{forward, backward};

}  // namespace

const hmm::ChainKernels& hmm_chain_kernels() noexcept { return kTable; }

}  // namespace mlcore::MLCORE_ISA_NAMESPACE
