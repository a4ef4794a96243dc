// Feasible starts of a dual problem from the solution of another one: of another C, another gamma, other weights.
#pragma once
#include <algorithm>
#include <cmath>

#include "mlcore/base/types.hpp"

namespace mlcore::svm {

/// Clips multipliers of one sign to their bounds (highest - lowest) and brings the sum of their sizes to `target`,
/// which is at most the sum of the bounds: all in proportion, then, when all that are not zero are at their bounds, the
/// first ones with room.
inline void bring_to_sum(const double* lowest, const double* highest, Index begin, Index end, double sign,
                         double target, double* beta) {
  constexpr int kRounds = 50;  // each puts a multiplier at its bound, or ends
  constexpr double kClose = 1e-14;
  const auto bound = [&](Index v) { return highest[v] - lowest[v]; };
  double sum = 0.0;
  for (Index v = begin; v < end; ++v) {
    const double size = std::min(std::max(0.0, sign * beta[v]), bound(v));
    beta[v] = sign * size;
    sum += size;
  }
  for (int round = 0; round < kRounds && sum > 0 && std::abs(sum - target) > kClose * target; ++round) {
    const double scale = target / sum;
    sum = 0.0;
    for (Index v = begin; v < end; ++v) {
      const double size = std::min(std::abs(beta[v]) * scale, bound(v));
      beta[v] = sign * size;
      sum += size;
    }
  }
  double missing = target - sum;
  for (Index v = begin; v < end && missing > kClose * target; ++v) {
    const double take = std::min(missing, bound(v) - std::abs(beta[v]));
    beta[v] += sign * take;
    missing -= take;
  }
}

/// The same for multipliers of both signs, [0, middle) and [middle, end), that add up to zero.
inline void bring_to_zero_sum(const double* lowest, const double* highest, Index middle, Index end, double* beta) {
  double sums[2] = {0.0, 0.0};
  for (Index v = 0; v < end; ++v) {
    const bool second = v >= middle;
    sums[second ? 1 : 0] += std::min(std::max(0.0, second ? -beta[v] : beta[v]), highest[v] - lowest[v]);
  }
  const double target = std::min(sums[0], sums[1]);
  bring_to_sum(lowest, highest, 0, middle, 1.0, target, beta);
  bring_to_sum(lowest, highest, middle, end, -1.0, target, beta);
}

}  // namespace mlcore::svm
