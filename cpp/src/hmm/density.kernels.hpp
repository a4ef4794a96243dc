// Kernel table of the emission densities, in the layout of chain.kernels.hpp (planes and tracks of kGroup lanes).
#pragma once
#include "hmm/chain.kernels.hpp"

namespace mlcore::hmm {

struct DensityKernels {
  /// x_f -= center_f; returns whether there was a NaN.
  bool (*center)(double* x, Index d, Index steps, const double* center) noexcept;
  /// out_j = constant_j - 1/2 sum_f (x_f factor_jf + offset_jf)^2.
  void (*squares)(const double* x, Index d, Index steps, const double* factor, const double* offset,
                  const double* constant, Index states, double* out) noexcept;
  /// The same, NaN features left out: each gives back log_factor_jf, its share of constant_j.
  void (*squares_observed)(const double* x, Index d, Index steps, const double* factor, const double* offset,
                           const double* log_factor, const double* constant, Index states, double* out) noexcept;
  /// out_j = constant_j - 1/2 sum_f (sum_{g <= f} lower_jfg x_g + offset_jf)^2; lower is packed by rows.
  void (*triangular)(const double* x, Index d, Index steps, const double* lower, const double* offset,
                     const double* constant, Index states, double* out) noexcept;
  /// y_f = sum_{g <= f} lower_fg x_g.
  void (*whiten)(const double* x, Index d, Index steps, const double* lower, double* y) noexcept;
  /// out_j = constant_j + sum_f x_f factor_jf.
  void (*linear)(const double* x, Index d, Index steps, const double* factor, const double* constant, Index states,
                 double* out) noexcept;
  /// x_f <- 0 where it is NaN; missing_f <- 1 there, else 0.
  void (*split_missing)(double* x, Index d, Index steps, double* missing) noexcept;
  /// Columns of the sums: 1, x, and x_f^2 (order == 1) or x_f x_g for g <= f (order == 2); order == 0: none.
  void (*features)(const double* x, Index d, Index steps, int order, double* out) noexcept;
  /// In place log l_j -> e^(log l_j - shift), shift = max_j log l_j (0 where that is -inf); 0 and 0 from valid[lane]
  /// on.
  void (*exponentiate)(double* l, Index states, Index steps, const double* valid, double* shift) noexcept;
  /// b_j = sum over m of c_jm, tracks of states * parts and of states.
  void (*add_parts)(const double* c, Index states, Index parts, Index steps, double* b) noexcept;
  /// b <- log b + shift, `planes` planes.
  void (*to_logs)(double* b, const double* shift, Index planes) noexcept;
  /// c_jm <- c_jm g_j / b_j, 0 where b_j is 0.
  void (*share)(double* c, const double* b, const double* g, Index states, Index parts, Index steps) noexcept;
};

}  // namespace mlcore::hmm

MLCORE_DECLARE_KERNELS(mlcore::hmm::DensityKernels, hmm_density_kernels)
