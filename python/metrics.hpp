// Names of the native metrics.
#pragma once
#include <stdexcept>
#include <string>

#include "mlcore/neighbors/metric.hpp"

namespace mlcore::python {

inline neighbors::Metric metric_of(const std::string& name, double p) {
  using neighbors::MetricKind;
  if (name == "euclidean") return {MetricKind::kEuclidean, p};
  if (name == "manhattan") return {MetricKind::kManhattan, p};
  if (name == "chebyshev") return {MetricKind::kChebyshev, p};
  if (name == "minkowski") return {MetricKind::kMinkowski, p};
  throw std::invalid_argument("unknown metric '" + name + "'");
}

}  // namespace mlcore::python
