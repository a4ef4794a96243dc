// Search of the best split of one numeric column, for the kernel file: prefix sums in integers, then as many thresholds
// at once as a vector has lanes.
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

// Sums of the bins up to each one, and the range of bins (whole vectors) that can leave rows enough on both sides.
struct Prefix {
  std::int64_t *gradient, *hessian, *count;
  int begin, end;
};

// Sums over the lanes up to each one.
MLCORE_INLINE Whole running_sums(Whole x) noexcept {
#if MLCORE_ISA_LEVEL == 4
  x += __builtin_shuffle(Whole{}, x, Whole{0, 8, 9, 10, 11, 12, 13, 14});
  x += __builtin_shuffle(Whole{}, x, Whole{0, 0, 8, 9, 10, 11, 12, 13});
  x += __builtin_shuffle(Whole{}, x, Whole{0, 0, 0, 0, 8, 9, 10, 11});
#elif MLCORE_ISA_LEVEL == 3
  x += __builtin_shuffle(Whole{}, x, Whole{0, 4, 5, 6});
  x += __builtin_shuffle(Whole{}, x, Whole{0, 0, 4, 5});
#else
  x += __builtin_shuffle(Whole{}, x, Whole{0, 2});
#endif
  return x;
}
MLCORE_INLINE Whole load_counts(const std::int32_t* p) noexcept {
  Whole x;
  for (int l = 0; l < kScanLanes; ++l) x[l] = p[l];
  return x;
}
MLCORE_INLINE void store_whole(std::int64_t* p, Whole x) noexcept {
  typedef std::int64_t Unaligned __attribute__((vector_size(kVectorBytes), aligned(8), may_alias));
  *reinterpret_cast<Unaligned*>(p) = x;
}

// Best of the cuts, missing values on the right (extra = 0) or left (extra = the missing bin).
template <bool kPlain>
MLCORE_INLINE void scan_direction(const Prefix& at, std::int64_t extra_g, std::int64_t extra_h, std::int64_t extra_c,
                                  int monotonic, const tree::NodeView& node, const tree::Objective& o,
                                  bool missing_left, tree::Candidate* best) noexcept {
  const double ug = o.gradient_unit, uh = o.hessian_unit;
  const auto whole_g = static_cast<double>(node.gradient), whole_h = static_cast<double>(node.hessian);
  const auto whole_c = static_cast<double>(node.count), least = static_cast<double>(o.min_samples_leaf);
  Real best_gain{}, best_place{}, place{};
  for (int l = 0; l < kScanLanes; ++l) place[l] = at.begin + l;
  for (int k = at.begin; k < at.end; k += kScanLanes, place += static_cast<double>(kScanLanes)) {
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
    *best = {gain, k, missing_left, at.gradient[k] + extra_g, at.hessian[k] + extra_h, at.count[k] + extra_c};
  }
}

template <bool kPlain>
void scan_column(const tree::Sums& sums, int bins, int monotonic, const tree::NodeView& node, const tree::Objective& o,
                 std::int64_t* scratch, tree::Candidate* best) noexcept {
  Prefix at{scratch, scratch + kScanRoom, scratch + 2 * kScanRoom, 0, 0};
  const std::int64_t missing = sums.count[bins];
  // A bin without rows repeats the cut before it, which wins the tie. (Cut 0 stands for "nothing present on the
  // left".) Vectors all of whose cuts leave too few rows on a side, wherever the missing values go, are left out.
  const std::int64_t most = node.count - o.min_samples_leaf, least = o.min_samples_leaf - missing;
  const auto keep = [&](int k, std::int64_t first_count, std::int64_t last_count) __attribute__((always_inline)) {
    if (last_count < least) at.begin = k + kScanLanes;
    if (first_count <= most) at.end = k + kScanLanes;
  };
  Whole g{}, h{}, c{};  // in every lane: of all bins before
  int b = 0;
  for (; b + kScanLanes <= bins; b += kScanLanes) {
    const Whole gs = g + running_sums(load_whole(sums.gradient + b));
    const Whole hs = h + running_sums(load_whole(sums.hessian + b));
    const Whole cs = c + running_sums(load_counts(sums.count + b));
    store_whole(at.gradient + b, gs);
    store_whole(at.hessian + b, hs);
    store_whole(at.count + b, cs);
    keep(b, cs[0], cs[kScanLanes - 1]);
    g = Whole{} + gs[kScanLanes - 1];
    h = Whole{} + hs[kScanLanes - 1];
    c = Whole{} + cs[kScanLanes - 1];
  }
  if (b < bins) {
    // Behind the last bin: everything left, nothing right, is never valid.
    const std::int64_t first_count = c[0] + sums.count[b];
    std::int64_t left_g = g[0], left_h = h[0], left_c = c[0];
    for (int l = 0; l < kScanLanes; ++l) {
      const bool is_bin = b + l < bins;
      if (is_bin) {
        left_g += sums.gradient[b + l];
        left_h += sums.hessian[b + l];
        left_c += sums.count[b + l];
      }
      at.gradient[b + l] = is_bin ? left_g : node.gradient;
      at.hessian[b + l] = is_bin ? left_h : node.hessian;
      at.count[b + l] = is_bin ? left_c : node.count;
    }
    keep(b, first_count, left_c);
  }
  scan_direction<kPlain>(at, 0, 0, 0, monotonic, node, o, false, best);
  if (missing > 0)
    scan_direction<kPlain>(at, sums.gradient[bins], sums.hessian[bins], missing, monotonic, node, o, true, best);
}

// Columns with two bins in a bundle: one cut each, between the rows of its cell and the others. What scan_column would
// find, without taking the bundle apart.
void scan_cells(const tree::Sums& sums, int cells, const tree::NodeView& node, const tree::Objective& o,
                double* gains) noexcept {
  const double ug = o.gradient_unit, uh = o.hessian_unit, l2 = o.l2 + 1e-15;
  const auto whole_g = static_cast<double>(node.gradient), whole_h = static_cast<double>(node.hessian);
  const auto whole_c = static_cast<double>(node.count), least = static_cast<double>(o.min_samples_leaf);
  for (int k = 0; k < cells; k += kScanLanes) {
    const Real g = to_real(load_whole(sums.gradient + k)), h = to_real(load_whole(sums.hessian + k));
    const Real c = to_real(load_counts(sums.count + k));
    const Side in{g * ug, h * uh, c};
    const Side out{(whole_g - g) * ug, (whole_h - h) * uh, whole_c - c};
    const auto valid = (in.count >= least) & (out.count >= least) & (in.hessian >= o.min_child_weight) &
                       (out.hessian >= o.min_child_weight);
    const Real gain =
        0.5 * (in.gradient * in.gradient / (in.hessian + l2) + out.gradient * out.gradient / (out.hessian + l2)) -
        node.score;
    store(gains + k, valid & (gain > 0.0) ? gain : Real{});
  }
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
