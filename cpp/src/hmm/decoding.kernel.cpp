// Viterbi scores and the way back.
//
//   d_t(j) = log b_j(x_t) + max_i (d_{t-1}(i) + log A_ij)
#if MLCORE_ISA_LEVEL >= 3
#include <immintrin.h>
#endif

#include "hmm/decoding.kernels.hpp"
#include "hmm/semiring.hpp"

namespace mlcore::MLCORE_ISA_NAMESPACE {
namespace {

using hmm::TraceStep;
using hmm::ViterbiStep;

template <int kStates>
MLCORE_INLINE void viterbi_static(const ViterbiStep& s) noexcept {
  for (Index p = 0; p < kGroup; p += kPart) {
    V d[kStates];
#pragma GCC unroll 16
    for (int j = 0; j < kStates; ++j) d[j] = load(s.carry + j * kGroup + p);
    for (Index t = 0; t < s.steps; ++t) {
      const double* b = s.log_density + t * kStates * kGroup + p;
      V next[kStates];
      if (t == 0 && s.initial != nullptr) {
#pragma GCC unroll 16
        for (int j = 0; j < kStates; ++j) next[j] = load(s.initial + j * kGroup + p);
      } else {
#pragma GCC unroll 16
        for (int j = 0; j < kStates; ++j) next[j] = MaxPlus::start(d[0], s.log_transitions[j]);
#pragma GCC unroll 16
        for (int i = 1; i < kStates; ++i)
#pragma GCC unroll 16
          for (int j = 0; j < kStates; ++j) next[j] = MaxPlus::join(next[j], d[i], s.log_transitions[i * kStates + j]);
      }
      double* delta = s.delta + t * kStates * kGroup + p;
#pragma GCC unroll 16
      for (int j = 0; j < kStates; ++j) {
        d[j] = next[j] + load(b + j * kGroup);
        store(delta + j * kGroup, d[j]);
      }
    }
#pragma GCC unroll 16
    for (int j = 0; j < kStates; ++j) store(s.carry + j * kGroup + p, d[j]);
  }
}

void viterbi_any(const ViterbiStep& s) noexcept {
  const Index k = s.states, plane = k * kGroup;
  for (Index p = 0; p < kGroup; p += kPart) {
    const double* before = s.carry + p;
    for (Index t = 0; t < s.steps; ++t) {
      const double* b = s.log_density + t * plane + p;
      double* delta = s.delta + t * plane + p;
      if (t == 0 && s.initial != nullptr) {
        for (Index j = 0; j < k; ++j)
          store(delta + j * kGroup, load(s.initial + j * kGroup + p) + load(b + j * kGroup));
      } else {
        if (s.into != nullptr)
          mix_edges<MaxPlus>(*s.into, k, before, delta, -__builtin_inf());
        else
          mix<MaxPlus>(s.log_transitions, k, before, delta);
        for (Index j = 0; j < k; ++j) store(delta + j * kGroup, load(delta + j * kGroup) + load(b + j * kGroup));
      }
      before = delta;
    }
    if (s.steps > 0)
      for (Index j = 0; j < k; ++j) store(s.carry + j * kGroup + p, load(before + j * kGroup));
  }
}

void viterbi(const ViterbiStep& s) noexcept { MLCORE_HMM_BY_STATES(s.states, viterbi_static, viterbi_any, s) }

using I = IntVec<double>;

MLCORE_INLINE V gather(const double* base, I index) noexcept {
#if MLCORE_ISA_LEVEL == 4
  return reinterpret_cast<V>(_mm512_i64gather_pd(reinterpret_cast<__m512i>(index), base, 8));
#elif MLCORE_ISA_LEVEL == 3
  return reinterpret_cast<V>(_mm256_i64gather_pd(base, reinterpret_cast<__m256i>(index), 8));
#else
  V out;
  for (int l = 0; l < kPart; ++l) out[l] = base[index[l]];
  return out;
#endif
}

// Log-transitions into the state of each lane, from state i: entries of column i of `into`.
struct Gathered {
  const double* into;
  Index states;
  MLCORE_INLINE V from(Index i, I state) const noexcept {
    return gather(into + i, state * static_cast<std::int64_t>(states));
  }
};
#if MLCORE_ISA_LEVEL == 4
// The columns in registers: a permutation has a tenth of a gather's latency, and the way back is one chain of them.
template <int kStates>
struct InRegisters {
  V column[kStates];
  MLCORE_INLINE explicit InRegisters(const double* into) noexcept {
#pragma GCC unroll 16
    for (int i = 0; i < kStates; ++i) {
      column[i] = V{};
#pragma GCC unroll 16
      for (int j = 0; j < kStates; ++j) column[i][j] = into[j * kStates + i];
    }
  }
  MLCORE_INLINE V from(int i, I state) const noexcept {
    return reinterpret_cast<V>(
        _mm512_permutexvar_pd(reinterpret_cast<__m512i>(state), reinterpret_cast<__m512d>(column[i])));
  }
};
#endif

// before(scores, state) -> the best predecessors.
template <class Before>
MLCORE_INLINE void trace_lanes(const TraceStep& s, Index p, const Before& before) noexcept {
  I state, last;
  for (int l = 0; l < kPart; ++l) {
    state[l] = s.state[p + l];
    last[l] = s.last[p + l];
  }
  for (Index t = s.steps - 1; t >= 0; --t) {
    __builtin_memcpy(s.path + t * kGroup + p, &state, sizeof state);
    const double* scores = t > 0 ? s.delta + (t - 1) * s.states * kGroup : s.before;
    if (scores == nullptr) break;
    const I from = before(scores + p, state);
    // A lane that ends earlier keeps its last state.
    const I begun = (I{} + static_cast<std::int64_t>(t)) <= last;
    state = begun ? from : state;
  }
  for (int l = 0; l < kPart; ++l) s.state[p + l] = state[l];
}

void trace_any(const TraceStep& s) noexcept {
  const Gathered into{s.into, s.states};
  for (Index p = 0; p < kGroup; p += kPart)
    trace_lanes(s, p, [&](const double* scores, I state) __attribute__((always_inline)) {
      V best = load(scores) + into.from(0, state);
      I from{};
      for (Index i = 1; i < s.states; ++i) {
        const V candidate = load(scores + i * kGroup) + into.from(i, state);
        const I better = candidate > best;
        best = better ? candidate : best;
        from = better ? I{} + static_cast<std::int64_t>(i) : from;
      }
      return from;
    });
}

template <int kStates>
MLCORE_INLINE void trace_static(const TraceStep& s) noexcept {
#if MLCORE_ISA_LEVEL == 4
  const InRegisters<kStates> into(s.into);
#else
  const Gathered into{s.into, kStates};
#endif
  for (Index p = 0; p < kGroup; p += kPart)
    trace_lanes(s, p, [&](const double* scores, I state) __attribute__((always_inline)) {
      V candidate[kStates], best[kStates];
#pragma GCC unroll 16
      for (int i = 0; i < kStates; ++i) best[i] = candidate[i] = load(scores + i * kGroup) + into.from(i, state);
#pragma GCC unroll 4
      for (int width = 1; width < kStates; width *= 2)
#pragma GCC unroll 16
        for (int i = 0; i + width < kStates; i += 2 * width)
          best[i] = best[i] > best[i + width] ? best[i] : best[i + width];
      I from{};
#pragma GCC unroll 16
      for (int i = kStates - 1; i >= 0; --i) from = candidate[i] == best[0] ? I{} + static_cast<std::int64_t>(i) : from;
      return from;
    });
}

void trace(const TraceStep& s) noexcept { MLCORE_HMM_BY_STATES(s.states, trace_static, trace_any, s) }

constexpr hmm::DecodingKernels kTable{viterbi, trace};

}  // namespace

const hmm::DecodingKernels& hmm_decoding_kernels() noexcept { return kTable; }

}  // namespace mlcore::MLCORE_ISA_NAMESPACE
