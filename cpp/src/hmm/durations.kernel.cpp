// Recursions over (state, rows left): durations.hpp has the formulas. A segment's countdown is a shift by one element,
// so a step is one pass over contiguous vectors with an unaligned load (forward) or store (backward) and no arithmetic
// for it; the transitions between segments are K^2 scalars.
#include "hmm/durations.kernels.hpp"
#include "hmm/scales.hpp"

namespace mlcore::MLCORE_ISA_NAMESPACE {
namespace {

using hmm::DurationBackward;
using hmm::DurationForward;
using hmm::DurationViterbi;

using V = Vec<double>;
constexpr int kPart = kLanes<double>;

MLCORE_INLINE double sum_of(V v) noexcept {
  double sum = v[0];
  for (int l = 1; l < kPart; ++l) sum += v[l];
  return sum;
}

void forward(const DurationForward& s) noexcept {
  const Index k = s.shape.states, depth = s.shape.depth, stride = s.shape.stride;
  const double* before = s.before;
  double scale = s.before_scale;
  for (Index t = 0; t < s.steps; ++t) {
    double* enter = s.enter + t * k;
    if (t == 0 && s.initial != nullptr) {
      scale = 0.0;
      for (Index j = 0; j < k; ++j) enter[j] = s.initial[j];
    } else {
      for (Index j = 0; j < k; ++j) enter[j] = 0.0;
      for (Index i = 0; i < k; ++i) {
        const double end = before[i * stride] * scale;
        for (Index j = 0; j < k; ++j) enter[j] += end * s.shape.transitions[i * k + j];
      }
    }
    double* alpha = s.alpha + t * k * stride;
    V total{};
    for (Index j = 0; j < k; ++j) {
      const double b = s.likelihood[t * k + j], fresh = b * enter[j], old = b * scale;
      for (Index r = 0; r < depth; r += kPart) {
        const V value = fresh * load(s.shape.durations + j * stride + r) + old * load(before + j * stride + r + 1);
        store(alpha + j * stride + r, value);
        total += value;
      }
      for (Index r = depth; r < stride; r += kPart) store(alpha + j * stride + r, V{});
    }
    s.sums[t] = sum_of(total);
    scale = scale_of(broadcast(s.sums[t]))[0];
    s.scale[t] = scale;
    before = alpha;
  }
}

void backward(const DurationBackward& s) noexcept {
  const Index k = s.shape.states, depth = s.shape.depth, stride = s.shape.stride;
  for (Index t = s.steps - 1; t >= 0; --t) {
    const bool first = t == 0 && s.begins;
    const double* before = t > 0 ? s.alpha + (t - 1) * k * stride : s.before;
    const double earlier = first ? 0.0 : t > 0 ? s.scale[t - 1] : s.before_scale;
    for (Index j = 0; j < k; ++j) {
      const double b = s.likelihood[t * k + j], fresh = b * s.enter[t * k + j], old = b * earlier;
      const double* alpha = s.alpha + (t * k + j) * stride;
      const double* p = s.shape.durations + j * stride;
      double* u = s.u + j * stride;
      double* counts = s.durations + j * stride;
      V posterior{}, arrival{};
      // From the far end, so that the shifted values overwrite what is done with.
      for (Index r = depth - kPart; r >= 0; r -= kPart) {
        const V value = load(u + r);
        posterior += load(alpha + r) * value;
        arrival += load(p + r) * value;
        store(counts + r, load(counts + r) + fresh * value);
        store(u + r + 1, old * value);
      }
      s.posterior[t * k + j] = sum_of(posterior);
      s.arrival[j] = b * sum_of(arrival);
    }
    if (first) break;
    for (Index i = 0; i < k; ++i) {
      const double end = before[i * stride] * earlier;
      double sum = 0.0;
      for (Index j = 0; j < k; ++j) {
        sum += s.shape.transitions[i * k + j] * s.arrival[j];
        s.pairs[i * k + j] += end * s.arrival[j];
      }
      s.u[i * stride] = sum * earlier;
    }
  }
}

void viterbi(const DurationViterbi& s) noexcept {
  const Index k = s.shape.states, depth = s.shape.depth, stride = s.shape.stride;
  for (Index t = 0; t < s.steps; ++t) {
    double* enter = s.enter + t * k;
    const bool first = t == 0 && s.initial != nullptr;
    for (Index j = 0; j < k; ++j) {
      if (first) {
        enter[j] = s.initial[j];
        continue;
      }
      double best = s.delta[0] + s.shape.transitions[j];
      for (Index i = 1; i < k; ++i) {
        const double candidate = s.delta[i * stride] + s.shape.transitions[i * k + j];
        best = candidate > best ? candidate : best;
      }
      enter[j] = best;
    }
    for (Index j = 0; j < k; ++j) {
      const V l = broadcast(s.log_density[t * k + j]);
      double* delta = s.delta + j * stride;
      const double* p = s.shape.durations + j * stride;
      for (Index r = 0; r < depth; r += kPart) {
        const V fresh = enter[j] + load(p + r);
        const V old = load(delta + r + 1);
        store(delta + r, l + (fresh > old ? fresh : old));
      }
      s.end[t * k + j] = delta[0];
    }
  }
}

constexpr hmm::DurationKernels kTable{forward, backward, viterbi};

}  // namespace

const hmm::DurationKernels& hmm_duration_kernels() noexcept { return kTable; }

}  // namespace mlcore::MLCORE_ISA_NAMESPACE
