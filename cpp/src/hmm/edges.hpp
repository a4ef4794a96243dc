// Transitions that are not zero, for chains whose matrix is mostly zeros (left-right models, explicit durations).
#pragma once
#include <vector>

#include "hmm/chain.kernels.hpp"

namespace mlcore::hmm {

class EdgeList {
 public:
  /// Of the K x K matrix: entries (row j, other) with matrix[j * row_stride + other * col_stride] != zero.
  EdgeList(const double* matrix, Index states, Index row_stride, Index col_stride, double zero) {
    first_.push_back(0);
    for (Index j = 0; j < states; ++j) {
      for (Index i = 0; i < states; ++i) {
        const double value = matrix[j * row_stride + i * col_stride];
        if (value == zero) continue;
        other_.push_back(i);
        value_.push_back(value);
      }
      first_.push_back(static_cast<Index>(other_.size()));
    }
    edges_ = {first_.data(), other_.data(), value_.data()};
    // Along edges a multiply-add takes two loads and no block of targets shares them: a quarter must do.
    pays_ = states > kStaticStates && 4 * count() <= states * states;
  }
  EdgeList(const EdgeList&) = delete;
  EdgeList& operator=(const EdgeList&) = delete;

  Index count() const noexcept { return static_cast<Index>(other_.size()); }
  bool pays() const noexcept { return pays_; }
  /// For the kernels; null where the dense ones are faster.
  const Edges* get() const noexcept { return pays_ ? &edges_ : nullptr; }

 private:
  std::vector<Index> first_, other_;
  std::vector<double> value_;
  Edges edges_;
  bool pays_ = false;
};

}  // namespace mlcore::hmm
