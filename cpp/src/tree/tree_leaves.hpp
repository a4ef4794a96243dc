// The leaves of the tree grown last: their values, their rows, new values for losses that want them.
#pragma once
#include <vector>

#include "mlcore/tree/grower.hpp"
#include "tree/objective.hpp"
#include "tree/row_segments.hpp"

namespace mlcore::tree {

struct Leaf {
  std::int32_t node = 0;  ///< number in the tree
  Segment segment;
  double lower = 0.0, upper = 0.0;  ///< bounds of the value
  double value = 0.0;               ///< without the learning rate
  double cover = 0.0;
};

/// A split on a monotone column: the leaves [first, middle) are left of it, [middle, last) right.
struct MonotoneSplit {
  int sign = 0;
  std::size_t first = 0, middle = 0, last = 0;
};

class TreeLeaves {
 public:
  TreeLeaves(const RowSegments& rows, const TreeKernels& kernel, int threads, double learning_rate)
      : rows_(rows), kernel_(kernel), threads_(threads), rate_(learning_rate) {}

  /// Leaves and monotone splits in pre-order.
  std::vector<Leaf> all;
  std::vector<MonotoneSplit> monotone;

  /// Values and covers from the gradients as given.
  void evaluate(VectorView<const float> gradients, VectorView<const float> hessians, const Objective& objective);
  LeafRows rows() const;
  /// raw[row] += values[leaf of the row]; values null: those of the tree.
  void add_to(VectorView<double> raw, const double* values) const;
  /// New values, times the learning rate, in order.
  std::vector<double> renewed(LeafRenewal kind, VectorView<const double> y, VectorView<const double> raw,
                              VectorView<const double> weights, double alpha) const;
  /// Keeps every monotone split in order. From the root down, where a leaf on the lower side lies above one on the
  /// upper side, both sides are cut off at the bound that changes least, in squares weighted by rows. What is done
  /// further down stays within these bounds.
  void put_in_order(std::vector<double>& values) const;

 private:
  template <class Fn>
  void for_blocks(double ns_per_row, Fn&& fn) const;

  const RowSegments& rows_;
  const TreeKernels& kernel_;
  int threads_;
  double rate_;
};

}  // namespace mlcore::tree
