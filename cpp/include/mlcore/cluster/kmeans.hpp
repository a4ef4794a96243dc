// k-means: minimise J = sum_i w_i |x_i - c_{a_i}|^2 over centres c and assignments a.
//
// Lloyd's iteration (Lloyd 1982): a_i <- argmin_c |x_i - c|^2, then c <- weighted mean of its rows. Every algorithm
// here returns Lloyd's assignments; they differ in how many distances they can prove unnecessary:
//   lloyd     all n k distances, as fused register tiles                                       O(n k d) an iteration
//   hamerly   one bound a row on its gap between nearest and second-nearest centre             (Hamerly 2010)
//   exponion  the same, and only centres within 2 u + s of the own centre                      (Newling & Fleuret 2016)
//   yinyang   one lower bound a row and group of centres, at most kMaxBoundGroups groups       (Ding et al. 2015)
//   elkan     the group bounds plus the distances between centres                              (Elkan 2003)
// Memory beyond the data: O(n) numbers (labels and bounds, at most kMaxBoundGroups + 3 a row) and O(k d); elkan and
// exponion O(k^2) more. Never n x k.
//
// Ties go to the lower centre. A centre without rows is moved to the row farthest from its own centre. The result
// depends on data, parameters, seed and instruction-set level, not on the number of threads.
#pragma once
#include <cstdint>

#include "mlcore/base/buffer.hpp"
#include "mlcore/base/fit_report.hpp"
#include "mlcore/base/types.hpp"
#include "mlcore/base/views.hpp"
#include "mlcore/runtime/observer.hpp"

namespace mlcore::cluster {

enum class KMeansAlgorithm : int { kAuto, kLloyd, kElkan, kHamerly, kExponion, kYinyang };
enum class KMeansInit : int { kGiven, kPlusPlus, kParallel, kRandom };

/// Lower bounds kept per row by yinyang and elkan: a constant, so that memory stays O(n).
inline constexpr Index kMaxBoundGroups = 32;

template <class T>
struct KMeansSpec {
  Index clusters = 8;
  KMeansAlgorithm algorithm = KMeansAlgorithm::kAuto;
  KMeansInit init = KMeansInit::kPlusPlus;
  const T* initial_centers = nullptr;  ///< kGiven: restarts x clusters x d
  Index restarts = 1;                  ///< the run with the lowest J is returned, the first of equals
  Index max_iterations = 300;
  double tolerance = 1e-4;  ///< stop when sum_c |c_new - c_old|^2 <= tolerance * mean column variance
  std::uint64_t seed = 0;
  int n_jobs = 0;
  runtime::Observer observer;
};

template <class T>
struct KMeansResult {
  Buffer<std::int32_t> labels;  ///< n
  Buffer<T> centers;            ///< clusters x d
  FitReport report;             ///< objective is J
  Index restart = 0;
};

template <class T>
KMeansResult<T> kmeans_fit(const MatrixView<const T>& x, VectorView<const T> weights, const KMeansSpec<T>& spec);
template <class T, class I>
KMeansResult<T> kmeans_fit(const CsrView<T, I>& x, VectorView<const T> weights, const KMeansSpec<T>& spec);

/// labels[i] <- nearest centre (k x d); with `squared_distances` also |x_i - c|^2, when it is not null.
template <class T>
void kmeans_assign(const MatrixView<const T>& x, const MatrixView<const T>& centers, int n_jobs, std::int32_t* labels,
                   T* squared_distances);
template <class T, class I>
void kmeans_assign(const CsrView<T, I>& x, const MatrixView<const T>& centers, int n_jobs, std::int32_t* labels,
                   T* squared_distances);

/// out (n x k) <- Euclidean distances.
template <class T>
void kmeans_transform(const MatrixView<const T>& x, const MatrixView<const T>& centers, int n_jobs, T* out);
template <class T, class I>
void kmeans_transform(const CsrView<T, I>& x, const MatrixView<const T>& centers, int n_jobs, T* out);

/// sum_i w_i |x_i - c_{label_i}|^2.
template <class T>
double kmeans_inertia(const MatrixView<const T>& x, VectorView<const T> weights, const MatrixView<const T>& centers,
                      const std::int32_t* labels, int n_jobs);
template <class T, class I>
double kmeans_inertia(const CsrView<T, I>& x, VectorView<const T> weights, const MatrixView<const T>& centers,
                      const std::int32_t* labels, int n_jobs);

/// The row-sum seam: what one block of rows adds to an iteration. Statistics of disjoint blocks add up.
struct KMeansStatistics {
  Buffer<double> sums;     ///< k x d weighted sums of the rows nearest to each centre
  Buffer<double> weights;  ///< k
  double inertia = 0.0;
};
template <class T>
KMeansStatistics kmeans_partial(const MatrixView<const T>& x, VectorView<const T> weights,
                                const MatrixView<const T>& centers, int n_jobs);
template <class T, class I>
KMeansStatistics kmeans_partial(const CsrView<T, I>& x, VectorView<const T> weights, const MatrixView<const T>& centers,
                                int n_jobs);

/// means (k x d) <- sums / weights; a centre without weight stays where it is.
template <class T>
void kmeans_finish(const MatrixView<const double>& sums, VectorView<const double> weights,
                   const MatrixView<const T>& centers, T* means);

}  // namespace mlcore::cluster
