// Kernel tables of the support vector machines. Every function is noexcept, allocates nothing and may be called from
// any thread.
//
// Glossary
//   group     `tile_cols` rows of X, transposed: group[j * tile_cols + r]. The operand that is read as vectors.
//   panel     `tile_rows` rows of X, transposed: panel[j * tile_rows + i]. The operand that is broadcast.
//   beta      signed multipliers y_i alpha_i; f = K beta + linear term, the gradient of the dual in beta.
//   up, low   beta_t may grow, may shrink. penalty_up[t] is 0 or +inf, penalty_low[t] 0 or -inf.
//
// A product of two rows is summed feature by feature in blocks of kDepthBlock, whatever their place in a tile: K(x, z)
// and K(z, x) are the same bits, and a row computed twice is the same twice.
#pragma once
#include "mlcore/base/types.hpp"
#include "mlcore/runtime/isa.hpp"

namespace mlcore::svm {

inline constexpr Index kMaxTileRows = 12;
inline constexpr Index kMaxTileCols = 32;
inline constexpr Index kDepthBlock = 256;

enum class SmoEnd : int {
  kConverged = 0,   ///< the gap is below the tolerance
  kIterations = 1,  ///< the limit came first
  kMissingRow = 2,  ///< the kernel row `missing` is needed
};

/// Positions [begin, end) of one group of variables that share an equality constraint. Kernel rows are indexed by
/// position - begin + column.
struct SmoSegment {
  Index begin = 0;
  Index end = 0;
  Index column = 0;
  Index constraint = 0;  ///< 0 or 1
};

/// One dual problem, in arrays padded to whole groups: padding has both penalties.
template <class T>
struct SmoState {
  const T* const* rows = nullptr;  ///< rows[t]: kernel row of variable t; null where it is not there
  const double* diagonal = nullptr;
  double* beta = nullptr;
  const double* lowest = nullptr;
  const double* highest = nullptr;
  double* f = nullptr;
  double* penalty_up = nullptr;
  double* penalty_low = nullptr;
  SmoSegment segments[2];
  Index segment_count = 1;
};

struct SmoOutcome {
  SmoEnd end = SmoEnd::kConverged;
  Index missing = 0;
  Index iterations = 0;
  double decrease = 0.0;  ///< of the objective, by the formula of each step
  double gap = 0.0;       ///< largest f of low minus smallest f of up, the worse of the constraints
};

template <class T>
struct SvmKernels {
  Index tile_rows;
  Index tile_cols;

  /// out[i][r] = (add ? out[i][r] : 0) + sum over p < depth of panel[p][i] * group[p][r].
  void (*product)(Index depth, const T* panel, const T* group, T* const* out, bool add) noexcept;
  /// norms[r] <- |x_r|^2 of a group, summed like a product.
  void (*norms)(Index depth, const T* group, T* norms) noexcept;
  /// Products to kernel values in place; n is a multiple of tile_cols.
  void (*rbf)(T* values, Index n, T norm, const T* norms, T gamma) noexcept;
  void (*polynomial)(T* values, Index n, T gamma, T coef0, int degree) noexcept;
  void (*sigmoid)(T* values, Index n, T gamma, T coef0) noexcept;
  /// sum[r] += sum over w < count, in this order, of weights[w] * rows[w][r], r < n, a multiple of tile_cols.
  void (*accumulate)(Index count, const T* const* rows, const double* weights, Index n, double* sum) noexcept;
  /// out[c] <- sum over the entries of value * columns[index * stride + c], c < stride, a multiple of tile_cols.
  void (*sparse_product)(const T* values, const std::int32_t* indices, Index entries, const T* columns, Index stride,
                         T* out) noexcept;
  /// Sequential minimal optimisation until the gap is below `tolerance`, see smo.kernel.cpp.
  SmoOutcome (*smo)(const SmoState<T>& state, double tolerance, Index max_iterations) noexcept;
};

}  // namespace mlcore::svm

MLCORE_DECLARE_KERNELS(mlcore::svm::SvmKernels<float>, svm_kernels_f32)
MLCORE_DECLARE_KERNELS(mlcore::svm::SvmKernels<double>, svm_kernels_f64)
