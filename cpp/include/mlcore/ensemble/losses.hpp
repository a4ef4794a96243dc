// Losses of boosting: gradients, Hessians and values at raw predictions f.
//
//   squared_error   (y - f)^2 / 2               absolute_error  |y - f|
//   huber(a)        (y - f)^2 / 2 up to |y - f| = a, then a (|y - f| - a / 2)
//   quantile(a)     a (y - f)+ + (1 - a) (f - y)+
//   expectile(a)    |a - [y < f]| (y - f)^2
//   poisson         e^f - y f                   gamma           f + y e^-f
//   tweedie(p)      e^((2-p) f) / (2 - p) - y e^((1-p) f) / (1 - p), 1 < p < 2
//   log_loss        log(1 + e^f) - y f, y in [0, 1]
//   multinomial     log sum_k e^f_k - f_y, y a class number; Hessian p (1 - p), the diagonal
// Losses that are not twice differentiable take 1 for the second derivative.
#pragma once
#include <cstdint>

#include "mlcore/base/buffer.hpp"
#include "mlcore/base/views.hpp"

namespace mlcore::ensemble {

enum class Loss : int {
  kSquared,
  kAbsolute,
  kHuber,
  kQuantile,
  kExpectile,
  kPoisson,
  kGamma,
  kTweedie,
  kLog,
  kMultinomial,
};

/// raw, gradients: (outputs x n), rows contiguous. hessians the same, or empty where they are 1 without weights.
void loss_gradients(Loss loss, double parameter, VectorView<const double> y, MatrixView<const double> raw,
                    VectorView<const double> weights, MatrixView<float> gradients, MatrixView<float> hessians,
                    int n_threads);

/// Weighted mean. The same bits for any number of threads.
double loss_value(Loss loss, double parameter, VectorView<const double> y, MatrixView<const double> raw,
                  VectorView<const double> weights, int n_threads);

/// A loss compiled by the caller: block of n rows, weights null or given; must be callable from any thread.
using CompiledObjective = void (*)(const double* y, const double* raw, const double* weights, float* gradients,
                                   float* hessians, std::int64_t n);
void call_objective(CompiledObjective objective, VectorView<const double> y, VectorView<const double> raw,
                    VectorView<const double> weights, VectorView<float> gradients, VectorView<float> hessians,
                    int n_threads);

/// Gradient-based one-side sampling (G. Ke et al., "LightGBM", NeurIPS 2017): the top_rate share of rows with the
/// largest sum over outputs of |g| h (|g| alone with an empty `hessians`), and of the others a random other_rate share
/// of all rows, whose gradients and Hessians are multiplied by (rows not at the top) / (rows drawn), so that sums stay
/// unbiased. Returns the rows in order. Ties at the threshold go to the lower row.
Buffer<std::uint32_t> goss(MatrixView<float> gradients, MatrixView<float> hessians, double top_rate, double other_rate,
                           std::uint64_t seed, int n_threads);

}  // namespace mlcore::ensemble
