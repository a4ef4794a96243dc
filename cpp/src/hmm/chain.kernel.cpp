// Chain kernels: sequences in the lanes, one step of all of them at a time.
//
//   forward   a_t(j) = b_t(j) sum_i a_{t-1}(i) / c_{t-1} A_ij,   c_t = sum_j a_t(j)
//   backward  u_t = beta_t / c_t,  gamma_t = a_t u_t,  beta_{t-1}(i) = sum_j A_ij b_t(j) u_t(j)
//   Viterbi   d_t(j) = log b_t(j) + max_i (d_{t-1}(i) + log A_ij)
//
// With the sequence in the lane nothing is horizontal, no state is padded, and the K x K product of a step is K^2
// multiply-adds for kGroup observations, the elements of A being broadcast from memory. a_t stays unnormalised and is
// divided by c_t only inside the next step: the division is then off the chain of dependent operations.
//
// Up to kStaticStates states the planes stay in registers; above, targets go in blocks of equal size <= kBlock, so that
// a block's accumulators cover the latency of two multiply-add pipes.
#if MLCORE_ISA_LEVEL >= 3
#include <immintrin.h>
#endif

#include "hmm/chain.kernels.hpp"
#include "hmm/transpose.hpp"
#include "mlcore/num/vector_math.hpp"

namespace mlcore::MLCORE_ISA_NAMESPACE {
namespace {

using hmm::BackwardStep;
using hmm::Edges;
using hmm::ForwardStep;
using hmm::kGroup;
using hmm::TraceStep;
using hmm::ViterbiStep;

using V = Vec<double>;
constexpr int kPart = kLanes<double>;
#if MLCORE_ISA_LEVEL == 4
constexpr int kBlock = 12;
constexpr int kTileRows = 4;
#else
constexpr int kBlock = 8;
constexpr int kTileRows = 2;
#endif
constexpr int kTileCols = 4;

struct SumProduct {
  static MLCORE_INLINE V start(V v, double a) noexcept { return v * a; }
  static MLCORE_INLINE V join(V sum, V v, double a) noexcept { return sum + v * a; }
};
struct MaxPlus {
  static MLCORE_INLINE V start(V v, double a) noexcept { return v + a; }
  static MLCORE_INLINE V join(V best, V v, double a) noexcept {
    const V candidate = v + a;
    return candidate > best ? candidate : best;
  }
};

// out[r] = over i of in[i] with a[i * states + r]: `size` targets (at most kMost) starting at a's first column.
template <class Semiring, int kSize>
MLCORE_INLINE void mix_block(const double* a, Index states, const double* in, V* out) noexcept {
  V first = load(in);
#pragma GCC unroll 16
  for (int r = 0; r < kSize; ++r) out[r] = Semiring::start(first, a[r]);
  for (Index i = 1; i < states; ++i) {
    const V v = load(in + i * kGroup);
    const double* row = a + i * states;
#pragma GCC unroll 16
    for (int r = 0; r < kSize; ++r) out[r] = Semiring::join(out[r], v, row[r]);
  }
}

// All targets, to memory: out is a plane.
template <class Semiring, int kSize>
void mix_to(const double* a, Index states, const double* in, double* out) noexcept {
  V block[kSize];
  mix_block<Semiring, kSize>(a, states, in, block);
#pragma GCC unroll 16
  for (int r = 0; r < kSize; ++r) store(out + r * kGroup, block[r]);
}
template <class Semiring>
MLCORE_INLINE void mix_some(Index size, const double* a, Index states, const double* in, double* out) noexcept {
  switch (size) {
    case 1:
      return mix_to<Semiring, 1>(a, states, in, out);
    case 2:
      return mix_to<Semiring, 2>(a, states, in, out);
    case 3:
      return mix_to<Semiring, 3>(a, states, in, out);
    case 4:
      return mix_to<Semiring, 4>(a, states, in, out);
    case 5:
      return mix_to<Semiring, 5>(a, states, in, out);
    case 6:
      return mix_to<Semiring, 6>(a, states, in, out);
    case 7:
      return mix_to<Semiring, 7>(a, states, in, out);
    case 8:
      return mix_to<Semiring, 8>(a, states, in, out);
#if MLCORE_ISA_LEVEL == 4
    case 9:
      return mix_to<Semiring, 9>(a, states, in, out);
    case 10:
      return mix_to<Semiring, 10>(a, states, in, out);
    case 11:
      return mix_to<Semiring, 11>(a, states, in, out);
    case 12:
      return mix_to<Semiring, 12>(a, states, in, out);
#endif
    default:
      return;
  }
}
template <class Semiring>
MLCORE_INLINE void mix(const double* a, Index states, const double* in, double* out) noexcept {
  const Index blocks = (states + kBlock - 1) / kBlock;
  for (Index b = 0; b < blocks; ++b) {
    const Index first = states * b / blocks, last = states * (b + 1) / blocks;
    mix_some<Semiring>(last - first, a + first, states, in, out + first * kGroup);
  }
}

// The same along edges; one without edges gets `none`.
template <class Semiring>
MLCORE_INLINE void mix_edges(const Edges& edges, Index states, const double* in, double* out, double none) noexcept {
  for (Index j = 0; j < states; ++j) {
    Index e = edges.first[j];
    const Index last = edges.first[j + 1];
    V value = broadcast(none);
    if (e < last) {
      value = Semiring::start(load(in + edges.other[e] * kGroup), edges.value[e]);
      for (++e; e < last; ++e) value = Semiring::join(value, load(in + edges.other[e] * kGroup), edges.value[e]);
    }
    store(out + j * kGroup, value);
  }
}

MLCORE_INLINE V inverse_or_zero(V c) noexcept { return c > 0.0 ? 1.0 / c : V{}; }

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
      scale = inverse_or_zero(sum[0]);
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
      scale = inverse_or_zero(sum);
      store(s.sums + t * kGroup + p, sum);
      store(s.scale + t * kGroup + p, scale);
      before = alpha;
    }
    if (s.steps > 0)
      for (Index j = 0; j < k; ++j) store(s.carry + j * kGroup + p, load(before + j * kGroup));
    store(s.carry_scale + p, scale);
  }
}

void forward(const ForwardStep& s) noexcept {
  switch (s.states) {
    case 1:
      return forward_static<1>(s);
    case 2:
      return forward_static<2>(s);
    case 3:
      return forward_static<3>(s);
    case 4:
      return forward_static<4>(s);
    case 5:
      return forward_static<5>(s);
    case 6:
      return forward_static<6>(s);
    case 7:
      return forward_static<7>(s);
    case 8:
      return forward_static<8>(s);
    default:
      return forward_any(s);
  }
}

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
      const V scale = load(s.scale + t * kGroup + p);
      const V earlier = load(s.scale + (t - 1) * kGroup + p);
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
      const V scale = load(s.scale + t * kGroup + p);
      // The posterior's plane first holds b_t u_t, the input of the product.
      for (Index j = 0; j < k; ++j)
        store(posterior + j * kGroup, load(b + j * kGroup) * (load(beta + j * kGroup) * scale));
      if (s.arrivals != nullptr) {
        const V earlier = load(s.scale + (t - 1) * kGroup + p);
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

void backward(const BackwardStep& s) noexcept {
  switch (s.states) {
    case 1:
      return backward_static<1>(s);
    case 2:
      return backward_static<2>(s);
    case 3:
      return backward_static<3>(s);
    case 4:
      return backward_static<4>(s);
    case 5:
      return backward_static<5>(s);
    case 6:
      return backward_static<6>(s);
    case 7:
      return backward_static<7>(s);
    case 8:
      return backward_static<8>(s);
    default:
      return backward_any(s);
  }
}

// ---- Viterbi ----

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

void viterbi(const ViterbiStep& s) noexcept {
  switch (s.states) {
    case 1:
      return viterbi_static<1>(s);
    case 2:
      return viterbi_static<2>(s);
    case 3:
      return viterbi_static<3>(s);
    case 4:
      return viterbi_static<4>(s);
    case 5:
      return viterbi_static<5>(s);
    case 6:
      return viterbi_static<6>(s);
    case 7:
      return viterbi_static<7>(s);
    case 8:
      return viterbi_static<8>(s);
    default:
      return viterbi_any(s);
  }
}

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

void trace(const TraceStep& s) noexcept {
  const Index k = s.states;
  for (Index p = 0; p < kGroup; p += kPart) {
    I state, last;
    for (int l = 0; l < kPart; ++l) {
      state[l] = s.state[p + l];
      last[l] = s.last[p + l];
    }
    for (Index t = s.steps - 1; t >= 0; --t) {
      std::int64_t* path = s.path + t * kGroup + p;
      for (int l = 0; l < kPart; ++l) path[l] = state[l];
      const double* scores = t > 0 ? s.delta + (t - 1) * k * kGroup : s.before;
      if (scores == nullptr) break;
      const I row = state * static_cast<std::int64_t>(k);
      V best = load(scores + p) + gather(s.into, row);
      I from{};
      for (Index i = 1; i < k; ++i) {
        const V candidate = load(scores + i * kGroup + p) + gather(s.into + i, row);
        const I better = candidate > best;
        best = better ? candidate : best;
        from = better ? I{} + static_cast<std::int64_t>(i) : from;
      }
      // A lane that ends earlier keeps its last state.
      const I begun = (I{} + static_cast<std::int64_t>(t)) <= last;
      state = begun ? from : state;
    }
    for (int l = 0; l < kPart; ++l) s.state[p + l] = state[l];
  }
}

// ---- sums of outer products ----

template <int kRows, int kCols>
void outer_tile(const double* u, Index m, const double* v, Index n, Index steps, double* sums) noexcept {
  for (Index p = 0; p < kGroup; p += kPart) {
    V sum[kRows][kCols];
#pragma GCC unroll 4
    for (int i = 0; i < kRows; ++i)
#pragma GCC unroll 4
      for (int j = 0; j < kCols; ++j) sum[i][j] = load(sums + (i * n + j) * kGroup + p);
    const double* left = u + p;
    const double* right = v + p;
    for (Index t = 0; t < steps; ++t, left += m * kGroup, right += n * kGroup) {
#pragma GCC unroll 4
      for (int i = 0; i < kRows; ++i) {
        const V factor = load(left + i * kGroup);
#pragma GCC unroll 4
        for (int j = 0; j < kCols; ++j) sum[i][j] += factor * load(right + j * kGroup);
      }
    }
#pragma GCC unroll 4
    for (int i = 0; i < kRows; ++i)
#pragma GCC unroll 4
      for (int j = 0; j < kCols; ++j) store(sums + (i * n + j) * kGroup + p, sum[i][j]);
  }
}
template <int kRows>
MLCORE_INLINE void outer_row(Index cols, const double* u, Index m, const double* v, Index n, Index steps,
                             double* sums) noexcept {
  switch (cols) {
    case 1:
      return outer_tile<kRows, 1>(u, m, v, n, steps, sums);
    case 2:
      return outer_tile<kRows, 2>(u, m, v, n, steps, sums);
    case 3:
      return outer_tile<kRows, 3>(u, m, v, n, steps, sums);
    default:
      return outer_tile<kRows, 4>(u, m, v, n, steps, sums);
  }
}

void add_outer(const double* u, Index m, const double* v, Index n, Index steps, double* sums) noexcept {
  const Index row_blocks = (m + kTileRows - 1) / kTileRows, col_blocks = (n + kTileCols - 1) / kTileCols;
  for (Index r = 0; r < row_blocks; ++r) {
    const Index i = m * r / row_blocks, rows = m * (r + 1) / row_blocks - i;
    for (Index c = 0; c < col_blocks; ++c) {
      const Index j = n * c / col_blocks, cols = n * (c + 1) / col_blocks - j;
      const double* left = u + i * kGroup;
      const double* right = v + j * kGroup;
      double* out = sums + (i * n + j) * kGroup;
      switch (rows) {
        case 1:
          outer_row<1>(cols, left, m, right, n, steps, out);
          break;
        case 2:
          outer_row<2>(cols, left, m, right, n, steps, out);
          break;
#if MLCORE_ISA_LEVEL == 4
        case 3:
          outer_row<3>(cols, left, m, right, n, steps, out);
          break;
        default:
          outer_row<4>(cols, left, m, right, n, steps, out);
          break;
#else
        default:
          break;
#endif
      }
    }
  }
}

void add_outer_edges(const double* u, const double* v, const Edges& out_of, Index states, Index steps,
                     double* sums) noexcept {
  const Index plane = states * kGroup;
  for (Index i = 0; i < states; ++i)
    for (Index e = out_of.first[i]; e < out_of.first[i + 1]; ++e)
      for (Index p = 0; p < kGroup; p += kPart) {
        const double* left = u + i * kGroup + p;
        const double* right = v + out_of.other[e] * kGroup + p;
        V sum = load(sums + e * kGroup + p);
        for (Index t = 0; t < steps; ++t) sum += load(left + t * plane) * load(right + t * plane);
        store(sums + e * kGroup + p, sum);
      }
}

void add_log(const double* sums, const double* shift, Index steps, const double* valid, double* log_likelihood,
             double* least) noexcept {
  for (Index p = 0; p < kGroup; p += kPart) {
    const V count = load(valid + p);
    V total = load(log_likelihood + p), low = load(least + p);
    for (Index t = 0; t < steps; ++t) {
      const auto counts = broadcast(static_cast<double>(t)) < count;
      const V c = load(sums + t * kGroup + p);
      const V term = log<double>(c) + load(shift + t * kGroup + p);
      total = counts ? total + term : total;
      low = counts & (c < low) ? c : low;
    }
    store(log_likelihood + p, total);
    store(least + p, low);
  }
}

// ---- between streams and tracks ----

MLCORE_INLINE V load_double(const double* p) noexcept { return load(p); }
MLCORE_INLINE V load_double(const float* p) noexcept {
  typedef float Half __attribute__((vector_size(kVectorBytes / 2), aligned(4), may_alias));
  typedef float HalfValue __attribute__((vector_size(kVectorBytes / 2)));
  const HalfValue half = *reinterpret_cast<const Half*>(p);
  return __builtin_convertvector(half, V);
}

template <class T>
MLCORE_INLINE void interleave(const T* const* streams, const Index* counts, Index length, double* track) noexcept {
  Index common = length;
  for (Index l = 0; l < kGroup; ++l) common = counts[l] < common ? counts[l] : common;
  Index q = 0;
  for (; q + kPart <= common; q += kPart) {
    for (Index p = 0; p < kGroup; p += kPart) {
      V v[kPart];
#pragma GCC unroll 16
      for (int l = 0; l < kPart; ++l) v[l] = load_double(streams[p + l] + q);
      transpose_square<double>(v);
#pragma GCC unroll 16
      for (int l = 0; l < kPart; ++l) store(track + (q + l) * kGroup + p, v[l]);
    }
  }
  for (; q < length; ++q)
    for (Index l = 0; l < kGroup; ++l) track[q * kGroup + l] = q < counts[l] ? static_cast<double>(streams[l][q]) : 0.0;
}
void interleave_f64(const double* const* streams, const Index* counts, Index length, double* track) noexcept {
  interleave<double>(streams, counts, length, track);
}
void interleave_f32(const float* const* streams, const Index* counts, Index length, double* track) noexcept {
  interleave<float>(streams, counts, length, track);
}

void deinterleave(const double* track, Index length, const Index* counts, double* const* streams) noexcept {
  Index common = length;
  for (Index l = 0; l < kGroup; ++l) common = counts[l] < common ? counts[l] : common;
  Index q = 0;
  for (; q + kPart <= common; q += kPart) {
    for (Index p = 0; p < kGroup; p += kPart) {
      V v[kPart];
#pragma GCC unroll 16
      for (int l = 0; l < kPart; ++l) v[l] = load(track + (q + l) * kGroup + p);
      transpose_square<double>(v);
#pragma GCC unroll 16
      for (int l = 0; l < kPart; ++l) store(streams[p + l] + q, v[l]);
    }
  }
  for (; q < length; ++q)
    for (Index l = 0; l < kGroup; ++l)
      if (q < counts[l]) streams[l][q] = track[q * kGroup + l];
}

void fold(const double* sums, Index count, double* out) noexcept {
  for (Index i = 0; i < count; ++i) {
    const double* s = sums + i * kGroup;
    out[i] = ((s[0] + s[1]) + (s[2] + s[3])) + ((s[4] + s[5]) + (s[6] + s[7]));
  }
}

constexpr hmm::ChainKernels kTable{forward, backward,       viterbi,        trace,        add_outer, add_outer_edges,
                                   add_log, interleave_f64, interleave_f32, deinterleave, fold};

}  // namespace

const hmm::ChainKernels& hmm_chain_kernels() noexcept { return kTable; }

}  // namespace mlcore::MLCORE_ISA_NAMESPACE
