// Inner loops of the support vector machines (shapes and nouns in svm.kernels.hpp).
//
// product   a register tile of tile_rows x 2 vectors: every loaded vector of the group meets tile_rows broadcast
//           entries of the panel. 24 of AVX-512's 32 registers hold sums, 12 of AVX2's 16, 8 of SSE2's 16.
// rbf       |x - z|^2 = |x|^2 + |z|^2 - 2 x.z, cut off at 0. The norms are summed exactly like the products, so that
// the
//           distance of a row from itself is 0 and its kernel value 1, not almost.
// smo       one iteration of S.-S. Keerthi's, R.-E. Fan's, P.-H. Chen's and C.-J. Lin's decomposition with two
//           variables ("Working set selection using second order information", JMLR 6, 2005): i has the smallest f of
//           `up`; j of `low` promises the largest decrease (f_j - f_i)^2 / eta, eta = K_ii + K_jj - 2 K_ij. Where eta
//           <= 0 (duplicates, indefinite kernels) it is replaced by 1e-12, so that the step goes to the better end
//           point. Candidates are compared by cross-multiplication, which spares the division; ties go to the higher
//           position, as LIBSVM's do. The gradient update and the search for the next i share one pass.
#include "mlcore/num/simd.hpp"
#include "mlcore/num/vector_math.hpp"
#include "svm/svm.kernels.hpp"

namespace mlcore::MLCORE_ISA_NAMESPACE {

namespace {

using svm::kDepthBlock;
using svm::SmoEnd;
using svm::SmoOutcome;
using svm::SmoSegment;
using svm::SmoState;
using svm::SvmKernels;

#if MLCORE_ISA_LEVEL == 4
constexpr int kTileRows = 12;
#elif MLCORE_ISA_LEVEL == 3
constexpr int kTileRows = 6;
#else
constexpr int kTileRows = 4;
#endif
template <class T>
constexpr int kTileCols = 2 * kLanes<T>;

constexpr double kInfinity = __builtin_inf();
constexpr double kSmallEta = 1e-12;

template <class T>
void product(Index depth, const T* panel, const T* group, T* const* out, bool add) noexcept {
  constexpr int lanes = kLanes<T>;
  Vec<T> sum[kTileRows][2] = {};
  for (Index p = 0; p < depth; ++p) {
    const Vec<T> g0 = load(group), g1 = load(group + lanes);
#pragma GCC unroll 16
    for (int i = 0; i < kTileRows; ++i) {
      const Vec<T> a = broadcast<T>(panel[i]);
      sum[i][0] += a * g0;
      sum[i][1] += a * g1;
    }
    panel += kTileRows;
    group += kTileCols<T>;
  }
#pragma GCC unroll 16
  for (int i = 0; i < kTileRows; ++i) {
    T* row = out[i];
    if (add) {
      sum[i][0] = load(row) + sum[i][0];
      sum[i][1] = load(row + lanes) + sum[i][1];
    }
    store(row, sum[i][0]);
    store(row + lanes, sum[i][1]);
  }
}

template <class T>
void norms(Index depth, const T* group, T* out) noexcept {
  constexpr int lanes = kLanes<T>;
  Vec<T> total[2] = {};
  for (Index first = 0; first < depth; first += kDepthBlock) {
    const Index last = first + kDepthBlock < depth ? first + kDepthBlock : depth;
    Vec<T> sum[2] = {};
    for (Index p = first; p < last; ++p)
      for (int v = 0; v < 2; ++v) {
        const Vec<T> x = load(group + p * kTileCols<T> + v * lanes);
        sum[v] += x * x;
      }
    for (int v = 0; v < 2; ++v) total[v] = first == 0 ? sum[v] : total[v] + sum[v];
  }
  for (int v = 0; v < 2; ++v) store(out + v * lanes, total[v]);
}

template <class T>
void rbf(T* values, Index n, T norm, const T* norms_of_rows, T gamma) noexcept {
  constexpr int lanes = kLanes<T>;
  for (Index r = 0; r < n; r += lanes) {
    const Vec<T> distance = (load(norms_of_rows + r) + norm) - T(2) * load(values + r);
    store(values + r, exp_flushed<T>(-gamma * at_least<T>(distance, T(0))));
  }
}

template <class T>
void polynomial_kernel(T* values, Index n, T gamma, T coef0, int degree) noexcept {
  constexpr int lanes = kLanes<T>;
  for (Index r = 0; r < n; r += lanes) {
    Vec<T> base = gamma * load(values + r) + coef0;
    Vec<T> power = broadcast<T>(T(1));
    for (int bits = degree; bits > 0; bits >>= 1) {
      if (bits & 1) power *= base;
      base *= base;
    }
    store(values + r, power);
  }
}

template <class T>
void sigmoid_kernel(T* values, Index n, T gamma, T coef0) noexcept {
  constexpr int lanes = kLanes<T>;
  for (Index r = 0; r < n; r += lanes) store(values + r, tanh<T>(gamma * load(values + r) + coef0));
}

/// kLanes<double> consecutive values in double precision.
MLCORE_INLINE Vec<double> widen(const double* p) noexcept { return load(p); }
MLCORE_INLINE Vec<double> widen(const float* p) noexcept {
  typedef float Half __attribute__((vector_size(kVectorBytes / 2)));
  typedef float Unaligned __attribute__((vector_size(kVectorBytes / 2), aligned(4), may_alias));
  return __builtin_convertvector(static_cast<Half>(*reinterpret_cast<const Unaligned*>(p)), Vec<double>);
}

template <class T>
void accumulate(Index count, const T* const* rows, const double* weights, Index n, double* sum) noexcept {
  constexpr int lanes = kLanes<double>;
  constexpr int vectors = kTileCols<T> / lanes;
  for (Index r = 0; r < n; r += kTileCols<T>) {
    Vec<double> total[vectors];
    for (int v = 0; v < vectors; ++v) total[v] = load(sum + r + v * lanes);
    for (Index w = 0; w < count; ++w) {
      const T* row = rows[w] + r;
      const Vec<double> weight = broadcast<double>(weights[w]);
#pragma GCC unroll 4
      for (int v = 0; v < vectors; ++v) total[v] += weight * widen(row + v * lanes);
    }
    for (int v = 0; v < vectors; ++v) store(sum + r + v * lanes, total[v]);
  }
}

template <class T>
void sparse_product(const T* values, const std::int32_t* indices, Index entries, const T* columns, Index stride,
                    T* out) noexcept {
  constexpr int lanes = kLanes<T>;
  for (Index c = 0; c < stride; c += 2 * lanes) {
    Vec<T> sum[2] = {};
    for (Index e = 0; e < entries; ++e) {
      const T* column = columns + indices[e] * stride + c;
      const Vec<T> value = broadcast<T>(values[e]);
      sum[0] += value * load(column);
      sum[1] += value * load(column + lanes);
    }
    store(out + c, sum[0]);
    store(out + c + lanes, sum[1]);
  }
}

typedef std::int64_t Positions __attribute__((vector_size(kVectorBytes)));

MLCORE_INLINE Positions first_positions(Index begin) noexcept {
  Positions p;
  for (int lane = 0; lane < kLanes<double>; ++lane) p[lane] = begin + lane;
  return p;
}

/// Smallest f of `up` and largest f of `low` of one constraint, with the position of the former.
struct Extremes {
  double smallest = kInfinity;
  double largest = -kInfinity;
  Index position = -1;
};

struct LaneExtremes {
  Vec<double> smallest = broadcast<double>(kInfinity);
  Vec<double> largest = broadcast<double>(-kInfinity);
  Positions at = first_positions(0) * 0 - 1;
};

MLCORE_INLINE void meet(LaneExtremes& e, Vec<double> up, Vec<double> low, Positions position) noexcept {
  const auto smaller = up <= e.smallest;  // padding may get in, at infinity
  e.smallest = smaller ? up : e.smallest;
  e.at = smaller ? position : e.at;
  e.largest = low > e.largest ? low : e.largest;
}

MLCORE_INLINE void collect(const LaneExtremes& lanes, Extremes& e) noexcept {
  for (int lane = 0; lane < kLanes<double>; ++lane) {
    const double value = lanes.smallest[lane];
    const Index position = lanes.at[lane];
    if (value < e.smallest || (value < kInfinity && value == e.smallest && position > e.position)) {
      e.smallest = value;
      e.position = position;
    }
    if (lanes.largest[lane] > e.largest) e.largest = lanes.largest[lane];
  }
}

template <class T>
MLCORE_INLINE void search(const SmoState<T>& s, Extremes (&found)[2]) noexcept {
  for (Index k = 0; k < s.segment_count; ++k) {
    const SmoSegment& segment = s.segments[k];
    LaneExtremes lanes;
    Positions position = first_positions(segment.begin);
    for (Index t = segment.begin; t < segment.end; t += kLanes<double>) {
      const Vec<double> f = load(s.f + t);
      meet(lanes, f + load(s.penalty_up + t), f + load(s.penalty_low + t), position);
      position += kLanes<double>;
    }
    collect(lanes, found[segment.constraint]);
  }
}

/// f += step * (row_i - row_j), and search of the result.
template <class T>
MLCORE_INLINE void move_and_search(const SmoState<T>& s, const T* row_i, const T* row_j, double step,
                                   Extremes (&found)[2]) noexcept {
  const Vec<double> by = broadcast<double>(step);
  for (Index k = 0; k < s.segment_count; ++k) {
    const SmoSegment& segment = s.segments[k];
    LaneExtremes lanes;
    Positions position = first_positions(segment.begin);
    const Index shift = segment.column - segment.begin;
    for (Index t = segment.begin; t < segment.end; t += kLanes<double>) {
      const Vec<double> f = load(s.f + t) + by * (widen(row_i + t + shift) - widen(row_j + t + shift));
      store(s.f + t, f);
      meet(lanes, f + load(s.penalty_up + t), f + load(s.penalty_low + t), position);
      position += kLanes<double>;
    }
    collect(lanes, found[segment.constraint]);
  }
}

/// Best partner of i: largest (f_t - f_i)^2 / eta, as numerator and denominator.
struct Partner {
  double gain = 0.0;
  double eta = 1.0;
  Index position = -1;
};

template <class T>
MLCORE_INLINE void find_partner(const SmoState<T>& s, Index constraint, Index i, Partner& best) noexcept {
  const T* row = s.rows[i];
  const Vec<double> f_i = broadcast<double>(s.f[i]), k_ii = broadcast<double>(s.diagonal[i]);
  for (Index k = 0; k < s.segment_count; ++k) {
    const SmoSegment& segment = s.segments[k];
    if (segment.constraint != constraint) continue;
    Vec<double> gain = {}, eta = broadcast<double>(1.0);
    Positions at = first_positions(0) * 0 - 1, position = first_positions(segment.begin);
    const Index shift = segment.column - segment.begin;
    for (Index t = segment.begin; t < segment.end; t += kLanes<double>) {
      const Vec<double> b = load(s.f + t) + load(s.penalty_low + t) - f_i;
      Vec<double> a = (k_ii + load(s.diagonal + t)) - 2.0 * widen(row + t + shift);
      a = a > 0.0 ? a : broadcast<double>(kSmallEta);
      const Vec<double> square = b * b;
      const auto better = (b > 0.0) & (square * eta >= gain * a);
      gain = better ? square : gain;
      eta = better ? a : eta;
      at = better ? position : at;
      position += kLanes<double>;
    }
    for (int lane = 0; lane < kLanes<double>; ++lane) {
      if (at[lane] < 0) continue;
      const double here = gain[lane] * best.eta, there = best.gain * eta[lane];
      if (best.position < 0 || here > there || (here == there && at[lane] > best.position))
        best = {gain[lane], eta[lane], static_cast<Index>(at[lane])};
    }
  }
}

template <class T>
MLCORE_INLINE void set_penalties(const SmoState<T>& s, Index t) noexcept {
  s.penalty_up[t] = s.beta[t] < s.highest[t] ? 0.0 : kInfinity;
  s.penalty_low[t] = s.beta[t] > s.lowest[t] ? 0.0 : -kInfinity;
}

template <class T>
SmoOutcome smo(const SmoState<T>& s, double tolerance, Index max_iterations) noexcept {
  SmoOutcome outcome;
  Extremes found[2];
  search(s, found);
  for (;;) {
    outcome.gap = 0.0;
    for (const Extremes& e : found)
      if (e.position >= 0 && e.largest - e.smallest > outcome.gap) outcome.gap = e.largest - e.smallest;
    if (outcome.gap < tolerance) {
      outcome.end = SmoEnd::kConverged;
      return outcome;
    }
    if (outcome.iterations >= max_iterations) {
      outcome.end = SmoEnd::kIterations;
      return outcome;
    }
    Partner best;
    Index i = -1;
    for (Index constraint = 0; constraint < 2; ++constraint) {
      const Index candidate = found[constraint].position;
      if (candidate < 0 || found[constraint].largest <= found[constraint].smallest) continue;
      if (s.rows[candidate] == nullptr) {
        outcome.end = SmoEnd::kMissingRow;
        outcome.missing = candidate;
        return outcome;
      }
      const Index before = best.position;
      find_partner(s, constraint, candidate, best);
      if (best.position != before) i = candidate;
    }
    const Index j = best.position;
    if (j < 0) {  // only NaN in f can bring us here; the caller finds it in the result
      outcome.end = SmoEnd::kIterations;
      return outcome;
    }
    if (s.rows[j] == nullptr) {
      outcome.end = SmoEnd::kMissingRow;
      outcome.missing = j;
      return outcome;
    }
    double step = (s.f[j] - s.f[i]) / best.eta;
    const double room_i = s.highest[i] - s.beta[i], room_j = s.beta[j] - s.lowest[j];
    const bool stops_i = step >= room_i && room_i <= room_j, stops_j = step >= room_j && room_j <= room_i;
    step = stops_i ? room_i : stops_j ? room_j : step;
    outcome.decrease += step * ((s.f[j] - s.f[i]) - 0.5 * best.eta * step);
    s.beta[i] = stops_i ? s.highest[i] : s.beta[i] + step;
    s.beta[j] = stops_j ? s.lowest[j] : s.beta[j] - step;
    set_penalties(s, i);
    set_penalties(s, j);
    ++outcome.iterations;
    found[0] = found[1] = Extremes{};
    move_and_search(s, s.rows[i], s.rows[j], step, found);
  }
}

template <class T>
constexpr SvmKernels<T> table() noexcept {
  return {kTileRows,          kTileCols<T>,   &product<T>,        &norms<T>, &rbf<T>, &polynomial_kernel<T>,
          &sigmoid_kernel<T>, &accumulate<T>, &sparse_product<T>, &smo<T>};
}

constexpr SvmKernels<float> kFloat = table<float>();
constexpr SvmKernels<double> kDouble = table<double>();

}  // namespace

const SvmKernels<float>& svm_kernels_f32() noexcept { return kFloat; }
const SvmKernels<double>& svm_kernels_f64() noexcept { return kDouble; }

}  // namespace mlcore::MLCORE_ISA_NAMESPACE
