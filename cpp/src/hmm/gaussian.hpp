// Densities of C Gaussian components on tiles, and the sums of their M-step; also with missing features.
//
// Sums are taken of x - shift, shift the mean of the components' means, so that second moments do not cancel when the
// data lie far from the origin.
#pragma once
#include "hmm/emission.hpp"

namespace mlcore::hmm {

class GaussianComponents {
 public:
  /// C means (C x d) and the covariance of component c from `covariance(c, f, g)` (diagonal: f == g only).
  GaussianComponents(const EmissionSpec& spec, const Observations& x);

  Index count() const noexcept { return count_; }
  Index features() const noexcept { return d_; }
  const Buffer<double>& shift() const noexcept { return shift_; }
  void add_constant(Index component, double value) noexcept { constant_[component] += value; }

  void reserve(Workspace& work, Index steps) const;
  /// Track of log N(x; mu_c, Sigma_c) + constants.
  void log_density(const Tile& tile, Workspace& work, double* out) const;
  Index cols() const noexcept { return 1 + d_ + (full_ ? d_ * (d_ + 1) / 2 : d_); }
  /// What missing features add: expectations and leftover covariances.
  Index plain() const noexcept { return count_ * (d_ + (full_ ? d_ * d_ : d_)); }
  void add(const Tile& tile, Workspace& work, const double* responsibility, Sums& sums) const;
  void finish(const Buffer<double>& lanes, const Buffer<double>& plain, Buffer<double>& post, Statistics& out) const;

 private:
  /// Gathers and centres; true when the tile has a missing feature.
  bool gather(const Tile& tile, Workspace& work) const;
  const MissingPattern& pattern_of(const double* x, Workspace& work) const;
  void density_of_incomplete(const Tile& tile, Workspace& work, double* out) const;
  void add_incomplete(const Tile& tile, Workspace& work, const double* responsibility, Sums& sums) const;
  double covariance(Index c, Index f, Index g) const noexcept;

  EmissionSpec spec_;
  Observations x_;
  Index count_, d_;
  bool full_;             ///< sums of products, not of squares only
  bool whitened_;         ///< tied: one factor for all
  Buffer<double> shift_;  ///< d
  Buffer<double> means_;  ///< C x d, shifted
  Buffer<double> factor_, offset_, log_factor_, constant_;
  Buffer<double> lower_;  ///< C packed inverse factors, or one
};

}  // namespace mlcore::hmm
