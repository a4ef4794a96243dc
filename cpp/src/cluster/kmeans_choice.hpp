// Which assignment step serves a request.
#pragma once
#include <memory>
#include <type_traits>

#include "cluster/dense_assigner.hpp"
#include "cluster/exponion_assigner.hpp"
#include "cluster/group_assigner.hpp"
#include "cluster/row_source.hpp"
#include "cluster/screened_assigner.hpp"
#include "cluster/sparse_assigner.hpp"

namespace mlcore::cluster {

/// Rough estimates for the choice of threads: one dense step, and its fixed part a row.
inline constexpr double kStepNsPerMultiplyAdd = 0.02;
inline constexpr double kStepNsPerRow = 5.0;

/// Where the matrix unit pays for dense float32 rows: measured on d = 8 ... 784 and k = 8 ... 2000, one thread. Few
/// centres do not repay the rounding of the rows. The upper ends keep the scores of a tile in the second cache and the
/// error bound tight.
template <class T>
bool screening_pays(Index k, Index d) noexcept {
  return std::is_same_v<T, float> && k >= 64 && d >= 16 && k * d >= 4096 && k <= 4096 && d <= 4096 &&
         runtime::amx_bf16();
}

/// What "auto" means. Measured at d = 784 (group bounds win) and at d <= 256 (they lose); the border between is a
/// guess: group bounds win where a distance is dear (many coordinates) and there are many centres to rule out;
/// elsewhere one gap a row does, because a dense tile costs less than the bookkeeping of groups. The more so where the
/// matrix unit screens the tiles. Group bounds also cost memory, which the product limits to a fraction of X.
template <class T>
KMeansAlgorithm chosen_algorithm(KMeansAlgorithm asked, Index k, Index d) noexcept {
  if (asked != KMeansAlgorithm::kAuto) return asked;
  return d >= 512 && k >= 32 && !screening_pays<T>(k, d) ? KMeansAlgorithm::kYinyang : KMeansAlgorithm::kHamerly;
}

/// Lists of neighbours need k^2 numbers; above this many centres elkan and exponion keep their bounds but drop the
/// lists.
inline constexpr Index kMaxListedCenters = 4096;

template <class Source>
std::unique_ptr<Assigner<typename Source::Scalar>> make_assigner(const Source& x, const typename Source::Scalar* offset,
                                                                 KMeansAlgorithm asked, Index k, std::int32_t* labels,
                                                                 int members) {
  using T = typename Source::Scalar;
  const KMeansAlgorithm algorithm = k == 1 ? KMeansAlgorithm::kLloyd : chosen_algorithm<T>(asked, k, x.cols());
  const bool bounds = algorithm != KMeansAlgorithm::kLloyd, lists = k <= kMaxListedCenters;
  if constexpr (Source::kShifted) {
    switch (algorithm) {
      case KMeansAlgorithm::kYinyang:
      case KMeansAlgorithm::kElkan:
        return std::make_unique<GroupAssigner<T>>(x.view(), offset, k, labels, members,
                                                  lists && algorithm == KMeansAlgorithm::kElkan);
      case KMeansAlgorithm::kExponion:
        if (lists) return std::make_unique<ExponionAssigner<T>>(x.view(), offset, k, labels, members);
        [[fallthrough]];
      default:
        if constexpr (std::is_same_v<T, float>)
          if (screening_pays<T>(k, x.cols()))
            return std::make_unique<ScreenedAssigner>(x.view(), offset, k, labels, members, bounds, true);
        return std::make_unique<DenseAssigner<T>>(x.view(), offset, k, labels, members, bounds);
    }
  } else {
    return std::make_unique<SparseAssigner<T, typename Source::IndexType>>(x.view(), k, labels, members, bounds);
  }
}

}  // namespace mlcore::cluster
