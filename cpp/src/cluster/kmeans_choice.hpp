// Which assignment step serves a request.
#pragma once
#include <memory>

#include "cluster/dense_assigner.hpp"
#include "cluster/row_source.hpp"
#include "cluster/sparse_assigner.hpp"

namespace mlcore::cluster {

/// Estimates for the choice of threads, from the reference machine: one dense step, and its fixed part a row.
inline constexpr double kStepNsPerMultiplyAdd = 0.02;
inline constexpr double kStepNsPerRow = 5.0;

template <class Source>
std::unique_ptr<Assigner<typename Source::Scalar>> make_assigner(const Source& x, const typename Source::Scalar* offset,
                                                                 KMeansAlgorithm algorithm, Index k,
                                                                 std::int32_t* labels, int members) {
  using T = typename Source::Scalar;
  const bool bounds = algorithm != KMeansAlgorithm::kLloyd && k > 1;
  if constexpr (Source::kShifted) {
    return std::make_unique<DenseAssigner<T>>(x.view(), offset, k, labels, members, bounds);
  } else {
    return std::make_unique<SparseAssigner<T, typename Source::IndexType>>(x.view(), k, labels, members, bounds);
  }
}

}  // namespace mlcore::cluster
