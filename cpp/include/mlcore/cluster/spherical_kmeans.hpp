// Spherical k-means: minimise J = sum_i w_i (1 - cos(x_i, c_{a_i})) over directions c (|c| = 1) and assignments a.
//
// Lloyd's iteration on the sphere (Dhillon & Modha 2001): a_i <- argmax_c x_i.c, then c <- s / |s| with
// s = sum of w_i x_i / |x_i| over the rows of c. On unit rows J is half the k-means objective. The rows are not
// normalised in memory: the argmax does not depend on |x_i|, and the sums take w_i / |x_i| as the weight.
//
// Rows that are zero have no direction: their cosine with everything is 0, so they get centre 0, add 1 to J, and move
// no centre. Ties go to the lower centre. A centre without rows is given the row farthest from its own centre; a centre
// whose rows cancel stays where it is. Time O(n k d) an iteration; memory beyond the data O(n + k d). The result does
// not depend on the number of threads.
#pragma once
#include <cstdint>

#include "mlcore/base/buffer.hpp"
#include "mlcore/base/fit_report.hpp"
#include "mlcore/base/types.hpp"
#include "mlcore/base/views.hpp"
#include "mlcore/runtime/observer.hpp"

namespace mlcore::cluster {

template <class T>
struct SphericalSpec {
  MatrixView<const T> initial_centers;  ///< k x d, C-contiguous, unit rows
  Index max_iterations = 300;
  double tolerance = 1e-4;  ///< stop when sum_c |c_new - c_old|^2 <= tolerance * mean column variance of the unit rows
  Index restart = 0;        ///< only handed on to the observer
  int n_jobs = 0;
  runtime::Observer observer;
};

template <class T>
struct SphericalResult {
  Buffer<std::int32_t> labels;  ///< n
  Buffer<T> centers;            ///< k x d, unit rows
  FitReport report;             ///< objective is J
};

template <class T>
SphericalResult<T> spherical_fit(const MatrixView<const T>& x, VectorView<const T> weights,
                                 const SphericalSpec<T>& spec);
template <class T, class I>
SphericalResult<T> spherical_fit(const CsrView<T, I>& x, VectorView<const T> weights, const SphericalSpec<T>& spec);

/// labels[i] <- centre with the largest cosine; returns J.
template <class T>
double spherical_assign(const MatrixView<const T>& x, VectorView<const T> weights, const MatrixView<const T>& centers,
                        int n_jobs, std::int32_t* labels);
template <class T, class I>
double spherical_assign(const CsrView<T, I>& x, VectorView<const T> weights, const MatrixView<const T>& centers,
                        int n_jobs, std::int32_t* labels);

/// Which rows the seeding draws.
struct SphericalSeeding {
  Index clusters = 8;
  bool plusplus = true;  ///< greedy k-means++ with D = 1 - cos; false: rows at random, no two of the same direction
  std::uint64_t seed = 0;
  Index restart = 0;
  int n_jobs = 0;
};

/// Numbers of the chosen rows. `order` (a permutation of the rows, or empty for 0, 1, ...) is the order in which
/// cumulative weights are formed: an order that depends on what the rows hold makes the choice independent of how they
/// are arranged.
template <class T>
Buffer<Index> spherical_seed(const MatrixView<const T>& x, VectorView<const T> weights, VectorView<const Index> order,
                             const SphericalSeeding& seeding);
template <class T, class I>
Buffer<Index> spherical_seed(const CsrView<T, I>& x, VectorView<const T> weights, VectorView<const Index> order,
                             const SphericalSeeding& seeding);

}  // namespace mlcore::cluster
