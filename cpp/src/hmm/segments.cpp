#include "hmm/segments.hpp"

#include <cmath>
#include <limits>

#include "mlcore/base/sizes.hpp"

namespace mlcore::hmm {
namespace {

constexpr double kAgreement = 1e-12;
// Where a chain forgets slowly the rounding of thousands of steps adds up, in a scan as in the plain recursion.
constexpr double kScanAgreement = 1e-9;
constexpr double kNegligible = 1e-250;
// Rows of warming up that are tried; twice as many are used.
constexpr Index kWarmups[] = {32, 128, 384};
// Up to this many states products of the steps are cheaper than going through the segments one after another.
constexpr Index kScanStates = 24;
// Up to this many they are also cheaper than a long search for the rows that suffice.
constexpr Index kEagerScanStates = 8;
constexpr Index eager_rows(Index states) noexcept { return states <= 3 ? 32 : 128; }

bool agree(const double* a, const double* b, Index k, double tolerance) noexcept {
  double sum_a = 0, sum_b = 0;
  for (Index j = 0; j < k; ++j) {
    sum_a += a[j];
    sum_b += b[j];
  }
  if (!(sum_a > 0) || !(sum_b > 0)) return false;
  for (Index j = 0; j < k; ++j) {
    const double x = a[j] / sum_a, y = b[j] / sum_b;
    if (!(std::fabs(x - y) <= tolerance * std::max(x, y) + kNegligible)) return false;
  }
  return true;
}

/// alpha and beta at some cuts after `rows` of warming up, into ends.reached_*.
void warm_up(const Job& job, const std::vector<Cut>& cuts, const std::vector<Index>& chosen, Index rows, bool both,
             Workers& workers, runtime::Team& team, Ends& ends) {
  const auto blocks = ceil_div(static_cast<Index>(chosen.size()), kGroup);
  team.for_each(both ? 2 * blocks : blocks, [&](Index block) {
    const bool backwards = block >= blocks;
    const Index first = (backwards ? block - blocks : block) * kGroup;
    std::vector<Lane> lanes;
    for (Index i = first; i < std::min<Index>(first + kGroup, static_cast<Index>(chosen.size())); ++i) {
      const Index number = chosen[static_cast<std::size_t>(i)];
      const Cut& cut = cuts[static_cast<std::size_t>(number)];
      const Index begin = job.sequences.offsets[cut.sequence], end = job.sequences.offsets[cut.sequence + 1];
      Lane lane;
      lane.sequence = cut.sequence;
      if (backwards) {
        lane.row = cut.row;
        lane.length = std::min(end - cut.row, rows);
        lane.before = number;
        lane.cold = true;
      } else {
        lane.row = std::max(begin, cut.row - rows);
        lane.length = cut.row - lane.row;
        lane.after = number;
        lane.cold = lane.row > begin;
      }
      lanes.push_back(lane);
    }
    const Group group = group_by_length(std::move(lanes))[0];
    Worker& worker = workers.of(team);
    double log_likelihood[kGroup], weight[kGroup];
    bool suspect[kGroup];
    worker.forward(group, backwards, &ends, log_likelihood, suspect);
    if (!backwards) return;
    for (Index l = 0; l < kGroup; ++l) weight[l] = group.lane[l].length > 0 ? 1.0 : 0.0;
    worker.backward(group, &ends, weight, nullptr, suspect, [](const Tile&, Index, const double*) {});
  });
}

/// Rows of warming up that suffice at eight of the cuts, 0 when none of those tried does.
Index warmup_rows(const Job& job, const Layout& layout, bool both, Workers& workers, runtime::Team& team, Ends& ends) {
  const auto count = static_cast<Index>(layout.cuts.size());
  const Index k = job.chain.states, longest = layout.longest();
  std::vector<Index> sample;
  for (Index i = 0; i < std::min(count, kGroup); ++i) sample.push_back(i * count / std::min(count, kGroup));
  Buffer<double> alpha(ends.reached_alpha.size()), beta(ends.reached_beta.size());
  for (const Index rows : kWarmups) {
    if (2 * rows > longest || (k <= kEagerScanStates && rows > eager_rows(k))) return 0;
    warm_up(job, layout.cuts, sample, rows, both, workers, team, ends);
    std::copy_n(ends.reached_alpha.data(), alpha.size(), alpha.data());
    std::copy_n(ends.reached_beta.data(), beta.size(), beta.data());
    warm_up(job, layout.cuts, sample, 2 * rows, both, workers, team, ends);
    bool settled = true;
    for (const Index c : sample) {
      settled = settled && agree(alpha.data() + c * k, ends.reached_alpha.data() + c * k, k, kAgreement);
      if (both) settled = settled && agree(beta.data() + c * k, ends.reached_beta.data() + c * k, k, kAgreement);
    }
    if (settled) return 2 * rows;
  }
  return 0;
}

/// Two-level scan: the product of the steps of every segment, side by side, and then the cuts in order:
///   alpha_{c+1} ~ alpha_c M_c,   beta_c = M_c beta_{c+1},   M_c(i, .) = e^{scale_i} row_i.
/// Reference: S. Sarkka, A. F. Garcia-Fernandez, "Temporal parallelization of Bayesian smoothers", IEEE TAC 66 (2021).
void scan_ends(const Job& job, const Layout& layout, bool both, Workers& workers, runtime::Team& team, Ends& ends) {
  const Index k = job.chain.states, count = static_cast<Index>(layout.lanes.size());
  constexpr double kNever = -std::numeric_limits<double>::infinity();
  std::vector<Lane> cut;
  for (const Lane& lane : layout.lanes)
    if (lane.before != kNone || lane.after != kNone) cut.push_back(lane);
  const std::vector<Group> groups = group_by_length(std::move(cut));
  Buffer<double> rows({count, k, k}), scale({count, k}), weight({k});
  team.for_each(static_cast<Index>(groups.size()), [&](Index g) {
    const Group& group = groups[static_cast<std::size_t>(g)];
    Buffer<double> own_rows({kGroup, k, k}), own_scale({kGroup, k});
    workers.of(team).products(group, own_rows.data(), own_scale.data());
    for (Index l = 0; l < kGroup; ++l) {
      const Lane& lane = group.lane[l];
      if (lane.length == 0) continue;
      std::copy_n(own_rows.data() + l * k * k, k * k, rows.data() + lane.number * k * k);
      std::copy_n(own_scale.data() + l * k, k, scale.data() + lane.number * k);
    }
  });
  // e^{scale_i} relative to the largest, 0 for states that cannot come before the segment.
  const auto weigh = [&](Index lane) {
    const double* own = scale.data() + lane * k;
    const double most = *std::max_element(own, own + k);
    for (Index i = 0; i < k; ++i) weight[i] = own[i] > kNever ? std::exp(own[i] - most) : 0.0;
  };
  for (Index n = 0; n < count; ++n) {
    const Lane& lane = layout.lanes[static_cast<std::size_t>(n)];
    if (lane.after == kNone) continue;
    double* out = ends.alpha.data() + lane.after * k;
    if (lane.before == kNone) {
      std::copy_n(rows.data() + n * k * k, k, out);
      continue;
    }
    weigh(n);
    double total = 0;
    std::fill_n(out, k, 0.0);
    for (Index i = 0; i < k; ++i) {
      const double w = weight[i] * ends.alpha[lane.before * k + i];
      if (w == 0) continue;
      for (Index j = 0; j < k; ++j) out[j] += w * rows[(n * k + i) * k + j];
      total += w;
    }
    for (Index j = 0; j < k; ++j) out[j] = total > 0 ? out[j] / total : 0.0;
  }
  if (!both) return;
  for (Index n = count - 1; n >= 0; --n) {
    const Lane& lane = layout.lanes[static_cast<std::size_t>(n)];
    if (lane.before == kNone) continue;
    weigh(n);
    double* out = ends.beta.data() + lane.before * k;
    double most = 0;
    for (Index i = 0; i < k; ++i) {
      double sum = 0;
      for (Index j = 0; j < k; ++j)
        sum += rows[(n * k + i) * k + j] * (lane.after != kNone ? ends.beta[lane.after * k + j] : 1.0);
      out[i] = weight[i] > 0 ? weight[i] * sum : 0.0;
      most = std::max(most, out[i]);
    }
    for (Index i = 0; i < k; ++i) out[i] = most > 0 ? out[i] / most : 0.0;
  }
}

/// Through the segments one after another.
void ends_in_order(const Job& job, const Layout& layout, bool both, Workers& workers, runtime::Team& team, Ends& ends,
                   std::vector<unsigned char>& lost) {
  const Index k = job.chain.states;
  std::vector<Index> first;  // lanes that begin a cut sequence
  for (const Lane& lane : layout.lanes)
    if (lane.before == kNone && lane.after != kNone) first.push_back(lane.number);
  team.for_each(static_cast<Index>(first.size()), [&](Index s) {
    Worker& worker = workers.of(team);
    double log_likelihood[kGroup], weight[kGroup] = {1.0};
    bool suspect[kGroup] = {};
    Group alone;
    Index n = first[static_cast<std::size_t>(s)];
    for (;; ++n) {
      const Lane& lane = alone.lane[0] = layout.lanes[static_cast<std::size_t>(n)];
      worker.forward(alone, false, &ends, log_likelihood, suspect);
      if (suspect[0]) lost[static_cast<std::size_t>(n)] = 1;
      if (lane.after == kNone) break;
      std::copy_n(ends.reached_alpha.data() + lane.after * k, k, ends.alpha.data() + lane.after * k);
    }
    if (!both) return;
    for (; n > first[static_cast<std::size_t>(s)]; --n) {
      const Lane& lane = alone.lane[0] = layout.lanes[static_cast<std::size_t>(n)];
      worker.forward(alone, true, &ends, log_likelihood, suspect);
      if (!worker.backward(alone, &ends, weight, nullptr, suspect, [](const Tile&, Index, const double*) {}))
        lost[static_cast<std::size_t>(n)] = 1;
      std::copy_n(ends.reached_beta.data() + lane.before * k, k, ends.beta.data() + lane.before * k);
    }
  });
}

}  // namespace

EndsFrom find_ends(const Job& job, const Layout& layout, bool both, Workers& workers, runtime::Team& team, Ends& ends,
                   std::vector<unsigned char>& lost) {
  const Index rows = warmup_rows(job, layout, both, workers, team, ends);
  if (rows == 0) return find_better_ends(EndsFrom::kGuess, job, layout, both, workers, team, ends, lost);
  std::vector<Index> all(layout.cuts.size());
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<Index>(i);
  warm_up(job, layout.cuts, all, rows, both, workers, team, ends);
  std::copy_n(ends.reached_alpha.data(), ends.alpha.size(), ends.alpha.data());
  if (both) std::copy_n(ends.reached_beta.data(), ends.beta.size(), ends.beta.data());
  return EndsFrom::kGuess;
}

EndsFrom find_better_ends(EndsFrom source, const Job& job, const Layout& layout, bool both, Workers& workers,
                          runtime::Team& team, Ends& ends, std::vector<unsigned char>& lost) {
  if (source == EndsFrom::kGuess && job.chain.states <= kScanStates) {
    scan_ends(job, layout, both, workers, team, ends);
    return EndsFrom::kScan;
  }
  ends_in_order(job, layout, both, workers, team, ends, lost);
  return EndsFrom::kOrder;
}

bool ends_agree(EndsFrom source, const Job& job, const Layout& layout, bool both, const Ends& ends) {
  if (source == EndsFrom::kOrder) return true;
  const double tolerance = source == EndsFrom::kScan ? kScanAgreement : kAgreement;
  const Index k = job.chain.states;
  for (std::size_t c = 0; c < layout.cuts.size(); ++c) {
    if (job.sequences.weight(layout.cuts[c].sequence) == 0) continue;
    const Index at = static_cast<Index>(c) * k;
    if (!agree(ends.alpha.data() + at, ends.reached_alpha.data() + at, k, tolerance)) return false;
    if (both && !agree(ends.beta.data() + at, ends.reached_beta.data() + at, k, tolerance)) return false;
  }
  return true;
}

}  // namespace mlcore::hmm
