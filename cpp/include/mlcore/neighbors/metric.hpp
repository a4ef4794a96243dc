// Distances between dense rows, in the reduced form in which they are compared: nothing is rooted.
//
// The rule of the family: r(x, y) is evaluated in float64, from the differences x_j - y_j (exact conversions of float32
// data), term by term in the order of the columns, without fused multiply-adds, and two rows are within a distance when
// r(x, y) <= reduced_distance(distance). Every engine gives what this rule gives, so results do not depend on the
// engine, the instruction set or the number of threads; ties are decided as in a plain loop.
#pragma once
#include "mlcore/base/types.hpp"

namespace mlcore::neighbors {

enum class MetricKind : int {
  kEuclidean = 0,  ///< r = sum |x_j - y_j|^2
  kManhattan = 1,  ///< r = sum |x_j - y_j|
  kChebyshev = 2,  ///< r = max |x_j - y_j|
  kMinkowski = 3,  ///< r = sum |x_j - y_j|^p
};

struct Metric {
  MetricKind kind = MetricKind::kEuclidean;
  double p = 2.0;  ///< of kMinkowski; any p > 0 (p < 1 is no metric, but r is monotone in every |x_j - y_j|)
};

/// r of rows at this distance.
double reduced_distance(const Metric& metric, double distance) noexcept;
/// Distance of rows with this r.
double distance_of(const Metric& metric, double reduced) noexcept;

/// Smallest and largest r between a point of one box and a point of another, from their sides; d lows, then d highs.
/// Rounding may put them off by a little: compare with a Reach.
struct BoxDistances {
  double least, most;
};
BoxDistances box_distances(const Metric& metric, const double* a, const double* b, Index d) noexcept;
/// The least alone.
double box_distance(const Metric& metric, const double* a, const double* b, Index d) noexcept;

/// A bound on r, with the allowance for rounding in r and in the distances of boxes.
struct Reach {
  double bound;        ///< rows are within reach when r <= bound
  double surely_over;  ///< boxes whose least is larger hold no rows within reach
  double surely_in;    ///< boxes whose most is at most this hold only rows within reach
};
Reach reach_of(double bound, Index d) noexcept;

}  // namespace mlcore::neighbors
