// First part of DBSCAN: which rows have enough neighbours (core rows).
#pragma once
#include <algorithm>
#include <array>
#include <vector>

#include "cluster/dbscan_search.hpp"
#include "mlcore/runtime/interrupt.hpp"
#include "mlcore/runtime/parallel.hpp"

namespace mlcore::cluster::dbscan {

/// Counts the neighbours of the rows of one leaf, until they are known to be core.
class CoreCount {
 public:
  /// weights: one a place; node_weights: their sums over nodes. Both null: every row weighs 1.
  CoreCount(const Search& search, double min_samples, const double* weights, const double* node_weights, bool may_stop)
      : search_(search),
        min_samples_(min_samples),
        weights_(weights),
        node_weights_(node_weights),
        may_stop_(may_stop),
        box_({2, search.tree.d}) {}

  /// Core slots of the leaf.
  std::uint32_t of_leaf(Index leaf) {
    const KdTree& tree = search_.tree;
    const std::uint32_t all = tree.slots(leaf);
    queries_ = tree.block(leaf);
    asking_ = all;
    core_ = 0;
    counts_.fill(0);
    sums_.fill(0.0);
    std::copy_n(tree.box(tree.node_of[leaf]), 2 * tree.d, box_.data());
    boxed_ = bit_count(all);
    ask_leaf(leaf);

    // The rest of the tree in growing circles: the siblings of the leaf and of its ancestors.
    std::array<KdNode, 64> siblings;
    int depth = 0;
    for (KdNode node = tree.root(); !node.is_leaf();) {
      const KdNode left = node.left(), right = node.right();
      const bool in_left = leaf < left.last;
      siblings[static_cast<std::size_t>(depth++)] = in_left ? right : left;
      node = in_left ? left : right;
    }
    while (depth > 0 && asking_ != 0) {
      const KdNode& node = siblings[static_cast<std::size_t>(--depth)];
      visit(node, search_.distances(box_.data(), node));
    }
    for (std::uint32_t left = asking_; left != 0; left &= left - 1) settle(__builtin_ctz(left));
    return core_;
  }

 private:
  void visit(const KdNode& node, const BoxDistances& away) {
    if (asking_ == 0 || away.least > search_.reach.surely_over) return;
    if (away.most <= search_.reach.surely_in) {
      const auto rows = static_cast<std::int32_t>(search_.tree.rows(node));
      for (std::uint32_t left = asking_; left != 0; left &= left - 1) {
        const auto q = static_cast<std::size_t>(__builtin_ctz(left));
        if (weights_ == nullptr)
          counts_[q] += rows;
        else
          sums_[q] += node_weights_[node.id];
      }
      settle_asking();
    } else if (node.is_leaf()) {
      ask_leaf(node.first);
    } else {
      const KdNode left = node.left(), right = node.right();
      const BoxDistances to_left = search_.distances(box_.data(), left),
                         to_right = search_.distances(box_.data(), right);
      if (to_right.least < to_left.least) {
        visit(right, to_right);
        visit(left, to_left);
      } else {
        visit(left, to_left);
        visit(right, to_right);
      }
    }
  }

  void ask_leaf(Index leaf) {
    const LeafPair pair = search_.pair(queries_, leaf);
    if (weights_ == nullptr) {
      search_.kernels.count(pair, asking_, counts_.data());
    } else {
      std::array<std::uint32_t, kLeaf> hits;
      std::uint32_t found = search_.kernels.find(pair, asking_, hits.data());
      for (; found != 0; found &= found - 1) {
        const auto q = static_cast<std::size_t>(__builtin_ctz(found));
        for (std::uint32_t left = hits[q]; left != 0; left &= left - 1)
          sums_[q] += weights_[leaf * kLeaf + __builtin_ctz(left)];
      }
    }
    settle_asking();
  }

  void settle(int q) noexcept {
    const auto slot = static_cast<std::size_t>(q);
    const double total = weights_ == nullptr ? static_cast<double>(counts_[slot]) : sums_[slot];
    if (!(total >= min_samples_)) return;
    core_ |= std::uint32_t{1} << q;
    asking_ &= ~(std::uint32_t{1} << q);
  }

  // Rows that have enough stop asking, and the box of those left shrinks. Weights may be negative: then all go on.
  void settle_asking() noexcept {
    if (!may_stop_) return;
    for (std::uint32_t left = asking_; left != 0; left &= left - 1) settle(__builtin_ctz(left));
    const int left = bit_count(asking_);
    if (left == 0 || 2 * left > boxed_) return;
    box_of(queries_, asking_, search_.tree.d, box_.data());
    boxed_ = left;
  }

  const Search& search_;
  double min_samples_;
  const double *weights_, *node_weights_;
  bool may_stop_;
  Buffer<double> box_;
  const double* queries_ = nullptr;
  std::uint32_t asking_ = 0, core_ = 0;
  std::array<std::int32_t, kLeaf> counts_{};
  std::array<double, kLeaf> sums_{};
  int boxed_ = 0;
};

/// Weights by place and by node.
struct Weights {
  Buffer<double> places, nodes;
  bool negative = false;

  Weights(const KdTree& tree, VectorView<const double> weights)
      : places(Buffer<double>::zeros({tree.leaves, kLeaf})), nodes({tree.nodes}) {
    for (Index place = 0; place < tree.leaves * kLeaf; ++place) {
      if (tree.row_of[place] < 0) continue;
      places[place] = weights[tree.row_of[place]];
      negative = negative || places[place] < 0;
    }
    gather(tree.root());
  }
  double gather(const KdNode& node) noexcept {
    double sum = 0;
    if (node.is_leaf()) {
      for (Index s = 0; s < kLeaf; ++s) sum += places[node.first * kLeaf + s];
    } else {
      sum = gather(node.left());
      sum += gather(node.right());
    }
    return nodes[node.id] = sum;
  }
};

/// Core slots of every leaf.
inline Buffer<std::uint32_t> core_slots(const Search& search, VectorView<const double> weights, double min_samples,
                                        runtime::Team& team, runtime::Interrupt& interrupt) {
  const KdTree& tree = search.tree;
  Buffer<std::uint32_t> core({tree.leaves});
  std::vector<Weights> by_place;
  if (!weights.empty()) by_place.emplace_back(tree, weights);
  const double *places = nullptr, *nodes = nullptr;
  bool may_stop = true;
  if (!by_place.empty()) {
    places = by_place[0].places.data();
    nodes = by_place[0].nodes.data();
    may_stop = !by_place[0].negative;
  }
  team.for_each(ceil_div(tree.leaves, kLeavesPerTask), [&](Index task) {
    CoreCount counter(search, min_samples, places, nodes, may_stop);
    const Index last = std::min(tree.leaves, (task + 1) * kLeavesPerTask);
    for (Index leaf = task * kLeavesPerTask; leaf < last; ++leaf) {
      if (team.is_leader()) interrupt.poll();
      core[leaf] = counter.of_leaf(leaf);
    }
  });
  return core;
}

}  // namespace mlcore::cluster::dbscan
