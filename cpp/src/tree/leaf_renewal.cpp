#include "tree/leaf_renewal.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace mlcore::tree {

namespace {

double quantile(std::vector<Residual>& r, bool weighted, double alpha) {
  const auto by_value = [](const Residual& a, const Residual& b) { return a.value < b.value; };
  if (!weighted) {
    const double place = alpha * static_cast<double>(r.size() - 1);
    const double below = std::floor(place);
    const auto k = static_cast<std::ptrdiff_t>(below);
    std::nth_element(r.begin(), r.begin() + k, r.end(), by_value);
    const double low = r[static_cast<std::size_t>(k)].value;
    if (place == below || k + 1 == static_cast<std::ptrdiff_t>(r.size())) return low;
    const double high = std::min_element(r.begin() + k + 1, r.end(), by_value)->value;
    const double t = place - below;
    return t < 0.5 ? low + (high - low) * t : high - (high - low) * (1.0 - t);
  }
  std::stable_sort(r.begin(), r.end(), by_value);
  double total = 0.0;
  for (const Residual& x : r) total += x.weight;
  const double rank = alpha * total;
  double sum = 0.0;
  for (std::size_t i = 0; i < r.size(); ++i) {
    sum += r[i].weight;
    if (sum < rank || r[i].weight == 0.0) continue;
    if (sum - rank > std::numeric_limits<double>::epsilon()) return r[i].value;
    for (std::size_t k = i + 1; k < r.size(); ++k)
      if (r[k].weight > 0.0) return (r[i].value + r[k].value) / 2;
    return r[i].value;
  }
  return r.back().value;
}

double expectile(const std::vector<Residual>& r, double alpha) {
  // Newton's method on a piecewise linear increasing function: ends after finitely many steps.
  double c = 0.0, last = std::numeric_limits<double>::quiet_NaN();
  for (int step = 0; step < 100 && c != last; ++step) {
    double top = 0.0, bottom = 0.0;
    for (const Residual& x : r) {
      const double w = x.weight * (x.value >= c ? alpha : 1.0 - alpha);
      top += w * x.value;
      bottom += w;
    }
    last = c;
    c = bottom > 0.0 ? top / bottom : 0.0;
  }
  return c;
}

}  // namespace

double leaf_location(LeafRenewal kind, std::vector<Residual>& residuals, bool weighted, double alpha) {
  if (residuals.empty()) return 0.0;
  switch (kind) {
    case LeafRenewal::kQuantile:
      return quantile(residuals, weighted, alpha);
    case LeafRenewal::kExpectile:
      return expectile(residuals, alpha);
    default:
      break;
  }
  std::vector<Residual> copy = residuals;
  const double median = quantile(copy, weighted, 0.5);
  double sum = 0.0, total = 0.0;
  for (const Residual& x : residuals) {
    const double away = x.value - median;
    sum += x.weight * std::copysign(std::min(std::abs(away), alpha), away);
    total += x.weight;
  }
  return median + (total > 0.0 ? sum / total : 0.0);
}

}  // namespace mlcore::tree
