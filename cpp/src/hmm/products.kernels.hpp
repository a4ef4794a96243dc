// Kernel table of products of steps: what a segment does to every possible beginning.
#pragma once
#include "hmm/chain.kernels.hpp"

namespace mlcore::hmm {

/// M <- M (A D_1) (A D_2) ..., D_t being the diagonal matrix of the densities of step t, for the lanes of a group;
/// plane i K + j of `product` is M_ij. All rows of M are independent: row i is what follows from state i.
struct ProductStep {
  const double* transitions = nullptr;  ///< K x K, row = from; logarithms for (max, +)
  Index states = 0;
  Index steps = 0;
  const double* density = nullptr;  ///< track of K: likelihoods, log-densities
  bool begins = false;              ///< the first step multiplies by its densities only
  double* product = nullptr;        ///< K x K planes
  double* exponents = nullptr;      ///< K planes, (+, *) only: row i is 2^exponents times what is stored
  double* spare = nullptr;          ///< plane of K
};

struct ProductKernels {
  void (*sum_product)(const ProductStep& step) noexcept;
  void (*max_plus)(const ProductStep& step) noexcept;
};

}  // namespace mlcore::hmm

MLCORE_DECLARE_KERNELS(mlcore::hmm::ProductKernels, hmm_product_kernels)
