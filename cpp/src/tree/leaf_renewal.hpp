// Values of leaves for losses whose Hessian says nothing about the distance to the minimum.
#pragma once
#include <vector>

#include "mlcore/tree/grower.hpp"

namespace mlcore::tree {

struct Residual {
  double value = 0.0;
  double weight = 1.0;
};

/// Minimiser over c of the sum of losses of (residual - c); uses the list up.
///   quantile   linear interpolation between order statistics, or with weights the averaged inverted distribution
///              function
///   Huber      median m plus the mean of the residuals' distances to m, clipped at alpha (J. Friedman, "Greedy
///              function approximation", Ann. Stat. 29, 2001, section 4.4)
///   expectile  root of the weighted mean of asymmetric residuals (W. Newey, J. Powell, Econometrica 55, 1987)
double leaf_location(LeafRenewal kind, std::vector<Residual>& residuals, bool weighted, double alpha);

}  // namespace mlcore::tree
