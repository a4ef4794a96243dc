// Running weighted sums of the clusters, kept up to date from the rows that change their centre.
//
// Row units add into one partial each; partials are folded into the totals in index order: the same bits for any number
// of threads. Partials are touched sparsely, so folding costs what changed.
#pragma once
#include <algorithm>
#include <cstdint>

#include "mlcore/base/buffer.hpp"

namespace mlcore::cluster {

class ClusterSums {
 public:
  ClusterSums(Index k, Index d, Index partials)
      : k_(k),
        d_(d),
        partials_(partials),
        total_(Buffer<double>::zeros({k, d})),
        weight_(Buffer<double>::zeros({k})),
        count_(Buffer<std::int64_t>::zeros({k})),
        part_total_(Buffer<double>::zeros({partials, k, d})),
        part_weight_(Buffer<double>::zeros({partials, k})),
        part_count_(Buffer<std::int64_t>::zeros({partials, k})),
        touched_(Buffer<std::uint8_t>::zeros({partials, k})) {}

  Index partials() const noexcept { return partials_; }

  /// Row with this weight leaves (sign -1) or joins (+1) cluster c, in partial p.
  template <class Source>
  void move(Index p, const Source& x, Index row, std::int32_t c, double weight, int sign) noexcept {
    const Index slot = p * k_ + c;
    touched_[slot] = 1;
    if (weight == 0) return;
    part_weight_[slot] += sign * weight;
    part_count_[slot] += sign;
    x.add(row, sign * weight, part_total_.data() + slot * d_);
  }

  /// Folds all partials of cluster c into its totals.
  void fold(Index c) noexcept {
    double* total = total_.data() + c * d_;
    for (Index p = 0; p < partials_; ++p) {
      const Index slot = p * k_ + c;
      if (!touched_[slot]) continue;
      touched_[slot] = 0;
      double* part = part_total_.data() + slot * d_;
      for (Index j = 0; j < d_; ++j) {
        total[j] += part[j];
        part[j] = 0;
      }
      weight_[c] += part_weight_[slot];
      count_[c] += part_count_[slot];
      part_weight_[slot] = 0;
      part_count_[slot] = 0;
    }
    if (count_[c] == 0) {  // no rounding residue in an empty cluster
      std::fill(total, total + d_, 0.0);
      weight_[c] = 0;
    }
  }

  const double* total(Index c) const noexcept { return total_.data() + c * d_; }
  double weight(Index c) const noexcept { return weight_[c]; }
  bool empty(Index c) const noexcept { return count_[c] == 0; }
  Buffer<double>& totals() noexcept { return total_; }
  Buffer<double>& weights() noexcept { return weight_; }

 private:
  Index k_, d_, partials_;
  Buffer<double> total_, weight_;
  Buffer<std::int64_t> count_;
  Buffer<double> part_total_, part_weight_;
  Buffer<std::int64_t> part_count_;
  Buffer<std::uint8_t> touched_;
};

}  // namespace mlcore::cluster
