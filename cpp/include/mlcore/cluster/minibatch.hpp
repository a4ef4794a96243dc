// Mini-batch k-means: stochastic steps towards the minimum of J = sum_i w_i min_j |x_i - c_j|^2.
//
// A step takes a batch B, assigns its rows to their nearest centres and makes every centre the weighted mean of all
// rows it was ever given (D. Sculley, "Web-scale k-means clustering", WWW 2010):
//   W_j <- W_j + sum_{i in B_j} w_i,     c_j <- c_j + sum_{i in B_j} w_i (x_i - c_j) / W_j.
// Centres whose weight stays far below the largest are put on rows of the batch now and then, as scikit-learn does.
// Cost of a step: O(|B| k d); memory O(|B| d + k d). Results do not depend on the number of threads.
#pragma once
#include <cstdint>

#include "mlcore/base/buffer.hpp"
#include "mlcore/base/fit_report.hpp"
#include "mlcore/base/types.hpp"
#include "mlcore/base/views.hpp"
#include "mlcore/runtime/observer.hpp"

namespace mlcore::cluster {

/// What a stream of batches carries from one step to the next.
template <class T>
struct MiniBatchState {
  Buffer<T> centers;       ///< k x d
  Buffer<double> weights;  ///< k: weight of all rows that each centre was ever given
  Index clusters = 0;
  Index unchecked = 0;  ///< rows seen since the last look for starved centres
  Index step = 0;       ///< number of the next step; with the seed it fixes the step's random numbers
};

struct MiniBatchStep {
  double inertia = 0;  ///< weighted sum over the batch of the squared distance to the nearest centre before the move
  double change = 0;   ///< sum over centres of the squared move
  Index reassigned = 0;
};

/// One step with all rows of x as the batch. weights may be empty (ones). With reassignment_ratio 0 no centre is
/// reassigned.
template <class T>
MiniBatchStep minibatch_step(const MatrixView<const T>& x, VectorView<const T> weights, double reassignment_ratio,
                             std::uint64_t seed, int n_jobs, MiniBatchState<T>& state);
template <class T, class I>
MiniBatchStep minibatch_step(const CsrView<T, I>& x, VectorView<const T> weights, double reassignment_ratio,
                             std::uint64_t seed, int n_jobs, MiniBatchState<T>& state);

/// A report after a step. objective is the smoothed mean inertia of the batches, NaN after the first.
struct MiniBatchInfo : runtime::IterationInfo {
  double batch_inertia = 0;  ///< mean inertia of this batch
  Index reassigned = 0;
};
struct MiniBatchObserver {
  bool (*on_step)(void* context, const MiniBatchInfo& info) = nullptr;  ///< false: stop
  void* context = nullptr;
};

struct MiniBatchSpec {
  Index batch_size = 1024;
  Index max_steps = 1;
  double tolerance = 0;  ///< stop when the change is at most tolerance * mean column variance; 0: never
  Index patience = 10;   ///< stop after so many steps without a new lowest smoothed inertia (kStationary); -1: never
  double reassignment_ratio = 0.01;
  std::uint64_t seed = 0;
  int n_jobs = 0;
  MiniBatchObserver observer;
};

/// Steps with batches drawn uniformly with replacement (or all rows, when batch_size >= n), starting from
/// state.centers. objective of the report: the
/// smoothed mean inertia, an exponentially weighted average with weight min(1, 2 |B| / (n + 1)) on the newest batch.
template <class T>
FitReport minibatch_fit(const MatrixView<const T>& x, VectorView<const T> weights, const MiniBatchSpec& spec,
                        MiniBatchState<T>& state);
template <class T, class I>
FitReport minibatch_fit(const CsrView<T, I>& x, VectorView<const T> weights, const MiniBatchSpec& spec,
                        MiniBatchState<T>& state);

}  // namespace mlcore::cluster
