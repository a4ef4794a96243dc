// One regression tree on gradients and Hessians of a loss, grown on histograms.
//
// A leaf with G = sum g, H = sum h gets the value w* = argmin G w + (H + l2) w^2 / 2 + l1 |w|, within its bounds; a
// split gains score(left) + score(right) - score(parent) - min_split_gain, score = -(G w* + (H + l2) w*^2 / 2 + l1
// |w*|) (T. Chen, C. Guestrin, "XGBoost", KDD 2016, eq. 5-7). The gradients that choose the splits are integers (see
// gradient_pairs.hpp), so that no sum depends on an order; the values of leaves come from the gradients as given, or,
// where the integers are precise, from the integers.
// Ties go to the lower feature, then the lower bin, then to missing values on the right.
#pragma once
#include <cstdint>
#include <memory>
#include <vector>

#include "mlcore/base/buffer.hpp"
#include "mlcore/base/views.hpp"
#include "mlcore/tree/binning.hpp"

namespace mlcore::tree {

struct GrowerSpec {
  double learning_rate = 1.0;
  Index max_leaf_nodes = 31;  ///< 0: no limit
  Index max_depth = 0;        ///< 0: no limit
  Index min_samples_leaf = 20;
  double min_child_weight = 1e-3;  ///< least sum of Hessians
  double l2 = 0.0;
  double l1 = 0.0;
  double min_split_gain = 0.0;
  double max_delta_step = 0.0;  ///< largest |value| before the learning rate; 0: no limit
  bool level_wise = false;
  std::vector<std::int8_t> monotonic;           ///< empty, or -1, 0, 1 a column
  std::vector<std::vector<Index>> interaction;  ///< groups of columns that may meet on a path; empty: all may
  double colsample_bylevel = 1.0;
  double colsample_bynode = 1.0;
  double cat_smooth = 10.0;
  Index min_cat_support = 10;
  Index histogram_bytes = Index{512} << 20;  ///< of all nodes; those beyond build theirs again
  int n_jobs = 0;
};

/// Nodes in pre-order: the left child of i is i + 1.
struct Tree {
  std::vector<std::int32_t> feature;  ///< -1: leaf
  std::vector<double> threshold;
  std::vector<std::int32_t> bin;
  std::vector<std::uint8_t> missing_left;
  std::vector<std::int32_t> left, right;  ///< -1: leaf
  std::vector<double> value, gain, cover;
  std::vector<std::int64_t> count;
  std::vector<std::int32_t> depth;
  std::vector<std::uint8_t> is_categorical;
  std::vector<std::int32_t> bitset_index;  ///< -1: not categorical
  std::vector<std::uint32_t> bitsets;      ///< 8 words each; bit c set: code c goes left
  /// Linear leaves (linear_leaves.hpp); empty: none. Node i adds intercept[i] + sum of coefficient * x[feature] over
  /// linear_start[i] .. linear_start[i + 1] - 1 if that is not empty and all these x are finite, else value[i].
  std::vector<std::int32_t> linear_start, linear_feature;
  std::vector<double> linear_coefficient, intercept;

  Index nodes() const noexcept { return static_cast<Index>(feature.size()); }
};

/// Rows of the leaves of the last tree.
struct LeafRows {
  std::vector<std::int32_t> nodes;
  std::vector<Index> offsets;
  Buffer<std::uint32_t> rows;
};

enum class LeafRenewal { kQuantile, kHuber, kExpectile };

class Grower {
 public:
  /// `binned` must outlive the grower.
  Grower(const BinnedMatrix& binned, const GrowerSpec& spec);
  ~Grower();
  Grower(const Grower&) = delete;
  Grower& operator=(const Grower&) = delete;

  /// hessians of size 1: the same for every row. rows empty: all of them; else ascending and distinct. mask null: all
  /// columns.
  Tree grow(VectorView<const float> gradients, VectorView<const float> hessians, VectorView<const std::uint32_t> rows,
            const std::uint8_t* mask, std::uint64_t seed);
  Index leaves() const noexcept;
  Index columns() const noexcept;
  LeafRows leaf_rows() const;
  /// raw[row] += values[leaf of the row]; values null: those of the tree.
  void update_raw(VectorView<double> raw, const double* values) const;
  /// New values of the leaves, times the learning rate: of the residuals y - raw, the quantile alpha, Huber's location
  /// (threshold alpha) or the expectile alpha; put in order where columns are monotone.
  std::vector<double> renew_leaves(LeafRenewal kind, VectorView<const double> y, VectorView<const double> raw,
                                   VectorView<const double> weights, double alpha) const;
  /// Changes values of the leaves, as little as possible, so that no split on a monotone column is out of order.
  void put_in_order(std::vector<double>& values) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace mlcore::tree
