// Search of the best split of one numeric column, for the kernel file: prefix sums in integers, then all thresholds at
// once in the lanes of a vector.
#pragma once
#include "mlcore/num/simd.hpp"
#include "tree/histogram.kernels.hpp"

namespace mlcore::MLCORE_ISA_NAMESPACE {
namespace {

using Real = Vec<double>;
using Whole = IntVec<double>;
inline constexpr int kScanLanes = kLanes<double>;
inline constexpr Index kScanRoom = 272;  // 256 bins and a vector

// Exact for |x| < 2^51, which no sum of a histogram reaches; the base levels have no conversion of 64-bit integers.
MLCORE_INLINE Real to_real(Whole x) noexcept {
  return reinterpret_cast<Real>(x + std::int64_t{0x4338000000000000}) - 0x1.8p52;
}
MLCORE_INLINE Whole load_whole(const std::int64_t* p) noexcept {
  typedef std::int64_t Unaligned __attribute__((vector_size(kVectorBytes), aligned(8), may_alias));
  return *reinterpret_cast<const Unaligned*>(p);
}

// Parts of a split in units of g and h.
struct Side {
  Real gradient, hessian, count;
};

MLCORE_INLINE Real value_of(const Side& s, const tree::Objective& o, const tree::NodeView& node) noexcept {
  Real g = s.gradient;
  if (o.l1 > 0.0) g = g > o.l1 ? g - o.l1 : (g < -o.l1 ? g + o.l1 : Real{});
  Real w = -g / (s.hessian + (o.l2 + 1e-15));
  w = w > o.max_step ? broadcast<double>(o.max_step) : w;
  w = w < -o.max_step ? broadcast<double>(-o.max_step) : w;
  w = w > node.upper ? broadcast<double>(node.upper) : w;
  return w < node.lower ? broadcast<double>(node.lower) : w;
}

MLCORE_INLINE Real score_of(const Side& s, Real w, const tree::Objective& o) noexcept {
  const Real magnitude = w < 0.0 ? -w : w;
  return -(s.gradient * w + 0.5 * (s.hessian + o.l2) * w * w + o.l1 * magnitude);
}

// Candidates: the bins after which the sums change, with the sums up to there.
struct Candidates {
  std::int64_t *gradient, *hessian, *count, *bin;
  int size;
};

// Best of the candidates, missing values on the right (extra = 0) or left (extra = the missing bin).
template <bool kPlain>
MLCORE_INLINE void scan_direction(const Candidates& at, std::int64_t extra_g, std::int64_t extra_h,
                                  std::int64_t extra_c, int monotonic, const tree::NodeView& node,
                                  const tree::Objective& o, bool missing_left, tree::Candidate* best) noexcept {
  const double ug = o.gradient_unit, uh = o.hessian_unit;
  const auto whole_g = static_cast<double>(node.gradient), whole_h = static_cast<double>(node.hessian);
  const auto whole_c = static_cast<double>(node.count), least = static_cast<double>(o.min_samples_leaf);
  Real best_gain{}, best_place{}, place{};
  for (int l = 0; l < kScanLanes; ++l) place[l] = l;
  for (int k = 0; k < at.size; k += kScanLanes, place += static_cast<double>(kScanLanes)) {
    const Real g = to_real(load_whole(at.gradient + k) + extra_g), h = to_real(load_whole(at.hessian + k) + extra_h);
    const Real c = to_real(load_whole(at.count + k) + extra_c);
    const Side left{g * ug, h * uh, c};
    const Side right{(whole_g - g) * ug, (whole_h - h) * uh, whole_c - c};
    auto valid = (left.count >= least) & (right.count >= least) & (left.hessian >= o.min_child_weight) &
                 (right.hessian >= o.min_child_weight);
    Real gain;
    if constexpr (kPlain) {
      // Exchanging the sides does not change a bit: mirrored cuts tie, and the lower bin wins. (One division for both
      // sides would be contracted to a fused form that does not treat them alike.)
      const double l2 = o.l2 + 1e-15;
      gain = 0.5 * (left.gradient * left.gradient / (left.hessian + l2) +
                    right.gradient * right.gradient / (right.hessian + l2)) -
             node.score;
    } else {
      const Real wl = value_of(left, o, node), wr = value_of(right, o, node);
      gain = score_of(left, wl, o) + score_of(right, wr, o) - node.score;
      if (monotonic > 0) valid &= wl <= wr;
      if (monotonic < 0) valid &= wl >= wr;
    }
    const auto better = valid & (gain > best_gain);
    best_gain = better ? gain : best_gain;
    best_place = better ? place : best_place;
  }
  double gain = 0.0, found = 0.0;
  for (int l = 0; l < kScanLanes; ++l)
    if (best_gain[l] > gain || (best_gain[l] == gain && gain > 0.0 && best_place[l] < found)) {
      gain = best_gain[l];
      found = best_place[l];
    }
  const double scores = gain + (node.score < 0.0 ? -node.score : node.score);
  if (gain > best->gain + tree::kTieMargin * scores) {
    const int k = static_cast<int>(found);
    *best = {gain,
             static_cast<std::int32_t>(at.bin[k]),
             missing_left,
             at.gradient[k] + extra_g,
             at.hessian[k] + extra_h,
             at.count[k] + extra_c};
  }
}

template <bool kPlain>
void scan_column(const tree::Sums& sums, int bins, int monotonic, const tree::NodeView& node, const tree::Objective& o,
                 std::int64_t* scratch, tree::Candidate* best) noexcept {
  Candidates at{scratch, scratch + kScanRoom, scratch + 2 * kScanRoom, scratch + 3 * kScanRoom, 0};
  const std::int64_t missing = sums.count[bins];
  // A bin without rows repeats the candidate before it, which wins the tie. (Bin 0 stands for "nothing present on the
  // left".) Candidates with too few rows on a side, wherever the missing values go, are left out.
  const std::int64_t most = node.count - o.min_samples_leaf, least = o.min_samples_leaf - missing;
  std::int64_t g = 0, h = 0, c = 0;
  int k = 0;
  for (int b = 0; b < bins; ++b) {
    at.gradient[k] = g += sums.gradient[b];
    at.hessian[k] = h += sums.hessian[b];
    at.count[k] = c += sums.count[b];
    at.bin[k] = b;
    k += static_cast<int>(((sums.count[b] > 0) | (b == 0)) & (c >= least) & (c <= most));
  }
  at.size = k;
  // The last vector reaches beyond: everything left, nothing right, is never valid.
  for (int e = k; e < k + kScanLanes; ++e) {
    at.gradient[e] = node.gradient;
    at.hessian[e] = node.hessian;
    at.count[e] = node.count;
    at.bin[e] = -1;
  }
  scan_direction<kPlain>(at, 0, 0, 0, monotonic, node, o, false, best);
  if (missing > 0)
    scan_direction<kPlain>(at, sums.gradient[bins], sums.hessian[bins], missing, monotonic, node, o, true, best);
}

void scan_split(const tree::Sums& sums, int bins, int monotonic, const tree::NodeView& node,
                const tree::Objective& objective, std::int64_t* scratch, tree::Candidate* best) noexcept {
  if (objective.plain && monotonic == 0)
    scan_column<true>(sums, bins, 0, node, objective, scratch, best);
  else
    scan_column<false>(sums, bins, monotonic, node, objective, scratch, best);
}

}  // namespace
}  // namespace mlcore::MLCORE_ISA_NAMESPACE
