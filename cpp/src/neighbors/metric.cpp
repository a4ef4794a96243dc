#include "mlcore/neighbors/metric.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace mlcore::neighbors {

namespace {

template <MetricKind kKind>
double term(double difference, double p) noexcept {
  if constexpr (kKind == MetricKind::kEuclidean) return difference * difference;
  if constexpr (kKind == MetricKind::kMinkowski) return std::pow(difference, p);
  return difference;
}

template <MetricKind kKind>
double add(double sum, double term) noexcept {
  return kKind == MetricKind::kChebyshev ? std::max(sum, term) : sum + term;
}

template <MetricKind kKind>
BoxDistances distances(double p, const double* a, const double* b, Index d) noexcept {
  BoxDistances result{0.0, 0.0};
  for (Index j = 0; j < d; ++j) {
    const double up = b[d + j] - a[j], down = a[d + j] - b[j];  // to the far sides
    result.least = add<kKind>(result.least, term<kKind>(std::max({0.0, a[j] - b[d + j], b[j] - a[d + j]}), p));
    result.most = add<kKind>(result.most, term<kKind>(std::max({0.0, up, down}), p));
  }
  return result;
}

template <MetricKind kKind>
double least_distance(double p, const double* a, const double* b, Index d) noexcept {
  double least = 0.0;
  for (Index j = 0; j < d; ++j)
    least = add<kKind>(least, term<kKind>(std::max({0.0, a[j] - b[d + j], b[j] - a[d + j]}), p));
  return least;
}

}  // namespace

double reduced_distance(const Metric& metric, double distance) noexcept {
  if (metric.kind == MetricKind::kEuclidean) return distance * distance;
  if (metric.kind == MetricKind::kMinkowski) return std::pow(distance, metric.p);
  return distance;
}

double distance_of(const Metric& metric, double reduced) noexcept {
  if (metric.kind == MetricKind::kEuclidean) return std::sqrt(reduced);
  if (metric.kind == MetricKind::kMinkowski) return std::pow(reduced, 1.0 / metric.p);
  return reduced;
}

BoxDistances box_distances(const Metric& metric, const double* a, const double* b, Index d) noexcept {
  switch (metric.kind) {
    case MetricKind::kEuclidean:
      return distances<MetricKind::kEuclidean>(metric.p, a, b, d);
    case MetricKind::kManhattan:
      return distances<MetricKind::kManhattan>(metric.p, a, b, d);
    case MetricKind::kChebyshev:
      return distances<MetricKind::kChebyshev>(metric.p, a, b, d);
    default:
      return distances<MetricKind::kMinkowski>(metric.p, a, b, d);
  }
}

double box_distance(const Metric& metric, const double* a, const double* b, Index d) noexcept {
  switch (metric.kind) {
    case MetricKind::kEuclidean:
      return least_distance<MetricKind::kEuclidean>(metric.p, a, b, d);
    case MetricKind::kManhattan:
      return least_distance<MetricKind::kManhattan>(metric.p, a, b, d);
    case MetricKind::kChebyshev:
      return least_distance<MetricKind::kChebyshev>(metric.p, a, b, d);
    default:
      return least_distance<MetricKind::kMinkowski>(metric.p, a, b, d);
  }
}

Reach reach_of(double bound, Index d) noexcept {
  // A term has a relative error of at most a few units, each addition adds one more; where squares underflow, the
  // absolute error of a term is below the smallest normal number.
  const double relative = 8.0 * static_cast<double>(d + 8) * std::numeric_limits<double>::epsilon();
  const double absolute = static_cast<double>(d) * std::numeric_limits<double>::min();
  return {bound, bound * (1.0 + relative) + absolute, bound * (1.0 - relative) - absolute};
}

}  // namespace mlcore::neighbors
