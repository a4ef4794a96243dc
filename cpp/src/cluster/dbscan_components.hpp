// Second part of DBSCAN: the connected components of the core rows.
//
// Glossary
//   state      of a node: kNoCore; the place of one core row when all of its core rows are known to be connected
//              ("uniform"); kOpen otherwise. It only ever goes from kOpen to uniform
//   piece      subtree that one thread connects within itself
#pragma once
#include <algorithm>
#include <array>
#include <atomic>
#include <utility>
#include <vector>

#include "cluster/dbscan_search.hpp"
#include "cluster/disjoint_sets.hpp"
#include "mlcore/runtime/interrupt.hpp"
#include "mlcore/runtime/parallel.hpp"

namespace mlcore::cluster::dbscan {

constexpr std::int32_t kNoCore = -1, kOpen = -2;
constexpr Index kPieces = 64;

/// Connects core rows within eps of each other, subtree by subtree; threads share one union-find.
class Components {
 public:
  /// core[leaf]: core slots.
  Components(const Search& search, const std::uint32_t* core)
      : search_(search), tree_(search.tree), core_(core), sets_(tree_.leaves * kLeaf), state_({tree_.nodes}) {
    mark_empty(tree_.root());
  }

  void connect(runtime::Team& team, runtime::Interrupt& interrupt) {
    std::vector<KdNode> pieces;
    cut(tree_.root(), std::max<Index>(4, tree_.leaves / kPieces), pieces);
    team.for_each(static_cast<Index>(pieces.size()), [&](Index i) {
      if (team.is_leader()) interrupt.poll();
      within(pieces[static_cast<std::size_t>(i)], team, interrupt);
    });
    std::vector<std::pair<KdNode, KdNode>> pairs;
    pair_up(tree_.root(), std::max<Index>(4, tree_.leaves / kPieces), pairs);
    team.for_each(static_cast<Index>(pairs.size()), [&](Index i) {
      if (team.is_leader()) interrupt.poll();
      between(pairs[static_cast<std::size_t>(i)].first, pairs[static_cast<std::size_t>(i)].second, team, interrupt);
    });
  }

  std::int32_t find(Index place) noexcept { return sets_.find(static_cast<std::int32_t>(place)); }

 private:
  static void cut(const KdNode& node, Index leaves, std::vector<KdNode>& pieces) {
    if (node.is_leaf() || node.last - node.first <= leaves) {
      pieces.push_back(node);
      return;
    }
    cut(node.left(), leaves, pieces);
    cut(node.right(), leaves, pieces);
  }

  // Pairs of pieces in reach of each other, those of low ancestors first: most of them are near.
  void pair_up(const KdNode& node, Index leaves, std::vector<std::pair<KdNode, KdNode>>& pairs) const {
    if (node.is_leaf() || node.last - node.first <= leaves) return;
    pair_up(node.left(), leaves, pairs);
    pair_up(node.right(), leaves, pairs);
    pair_across(node.left(), node.right(), leaves, pairs);
  }
  void pair_across(const KdNode& a, const KdNode& b, Index leaves,
                   std::vector<std::pair<KdNode, KdNode>>& pairs) const {
    if (search_.distances(tree_.box(a.id), b).least > search_.reach.surely_over) return;
    const bool whole_a = a.is_leaf() || a.last - a.first <= leaves, whole_b = b.is_leaf() || b.last - b.first <= leaves;
    if (whole_a && whole_b) {
      pairs.emplace_back(a, b);
    } else if (whole_b || (!whole_a && a.last - a.first >= b.last - b.first)) {
      pair_across(a.left(), b, leaves, pairs);
      pair_across(a.right(), b, leaves, pairs);
    } else {
      pair_across(a, b.left(), leaves, pairs);
      pair_across(a, b.right(), leaves, pairs);
    }
  }

  std::atomic_ref<std::int32_t> state(const KdNode& node) noexcept {
    return std::atomic_ref<std::int32_t>(state_[node.id]);
  }

  bool mark_empty(const KdNode& node) noexcept {
    bool empty;
    if (node.is_leaf()) {
      empty = core_[node.first] == 0;
    } else {
      const bool left = mark_empty(node.left()), right = mark_empty(node.right());
      empty = left && right;
    }
    state_[node.id] = empty ? kNoCore : kOpen;
    return empty;
  }

  // The state, looked at again when it is open: for leaves in full, for other nodes from what their children say.
  std::int32_t look(const KdNode& node) noexcept {
    std::int32_t known = state(node).load(std::memory_order_relaxed);
    if (known != kOpen) return known;
    if (node.is_leaf()) {
      std::uint32_t left = core_[node.first];
      const auto first = static_cast<std::int32_t>(node.first * kLeaf);
      const std::int32_t place = first + __builtin_ctz(left), root = sets_.find(place);
      for (left &= left - 1; left != 0; left &= left - 1)
        if (sets_.find(first + __builtin_ctz(left)) != root) return kOpen;
      known = place;
    } else {
      const KdNode left = node.left(), right = node.right();
      const std::int32_t a = left.is_leaf() ? look(left) : state(left).load(std::memory_order_relaxed);
      if (a == kOpen) return kOpen;
      const std::int32_t b = right.is_leaf() ? look(right) : state(right).load(std::memory_order_relaxed);
      if (b == kOpen || (a != kNoCore && b != kNoCore && !sets_.together(a, b))) return kOpen;
      known = a == kNoCore ? b : a;
    }
    state(node).store(known, std::memory_order_relaxed);
    return known;
  }

  // All core rows of a node join `place`: they are within reach of it or of each other.
  void unite_all(const KdNode& node, std::int32_t place) noexcept {
    for (Index leaf = node.first; leaf < node.last; ++leaf)
      for (std::uint32_t left = core_[leaf]; left != 0; left &= left - 1)
        sets_.unite(place, static_cast<std::int32_t>(leaf * kLeaf + __builtin_ctz(left)));
    state(node).store(place, std::memory_order_relaxed);
  }
  std::int32_t any_core(const KdNode& node) const noexcept {
    Index leaf = node.first;
    while (core_[leaf] == 0) ++leaf;
    return static_cast<std::int32_t>(leaf * kLeaf + __builtin_ctz(core_[leaf]));
  }

  void within(const KdNode& node, runtime::Team& team, runtime::Interrupt& interrupt) {
    if (look(node) != kOpen) return;
    if (search_.distances(tree_.box(node.id), node).most <= search_.reach.surely_in) {
      unite_all(node, any_core(node));
      return;
    }
    if (node.is_leaf()) {
      join_all(node.first, node.first, core_[node.first]);
    } else {
      within(node.left(), team, interrupt);
      within(node.right(), team, interrupt);
      between(node.left(), node.right(), team, interrupt);
    }
    look(node);
  }

  void between(const KdNode& a, const KdNode& b, runtime::Team& team, runtime::Interrupt& interrupt) {
    const std::int32_t in_a = look(a), in_b = look(b);
    if (in_a == kNoCore || in_b == kNoCore) return;
    if (in_a >= 0 && in_b >= 0 && sets_.together(in_a, in_b)) return;
    const BoxDistances away = search_.distances(tree_.box(a.id), b);
    if (away.least > search_.reach.surely_over) return;
    if (away.most <= search_.reach.surely_in) {
      const std::int32_t place = in_a >= 0 ? in_a : any_core(a);
      if (in_b >= 0)
        sets_.unite(place, in_b);
      else
        unite_all(b, place);
      if (in_a < 0) unite_all(a, place);
      return;
    }
    if (a.is_leaf() && b.is_leaf()) {
      if (team.is_leader()) interrupt.poll();
      join_leaves(a, in_a, b, in_b);
      look(a);
      look(b);
      return;
    }
    const bool split_a = b.is_leaf() || (!a.is_leaf() && a.last - a.first >= b.last - b.first);
    const KdNode& parent = split_a ? a : b;
    const KdNode& other = split_a ? b : a;
    KdNode near = parent.left(), far = parent.right();
    const double* box = tree_.box(other.id);
    if (neighbors::box_distance(search_.metric, box, tree_.box(far.id), tree_.d) <
        neighbors::box_distance(search_.metric, box, tree_.box(near.id), tree_.d))
      std::swap(near, far);
    between(near, other, team, interrupt);
    between(far, other, team, interrupt);
    look(parent);
  }

  void join_leaves(const KdNode& a, std::int32_t in_a, const KdNode& b, std::int32_t in_b) noexcept {
    if (in_b >= 0) {
      join_uniform(a.first, b.first, in_b);
    } else if (in_a >= 0) {
      join_uniform(b.first, a.first, in_a);
    } else {
      join_all(a.first, b.first, core_[a.first]);
    }
  }

  // The core rows of b are connected, among them `place`: one neighbour there is enough for a row of a.
  void join_uniform(Index a, Index b, std::int32_t place) noexcept {
    const LeafPair pair = search_.pair(tree_.block(a), b);
    const auto first = static_cast<std::int32_t>(a * kLeaf);
    for (std::uint32_t asking = core_[a];;) {
      for (std::uint32_t left = asking; left != 0; left &= left - 1)
        if (const int q = __builtin_ctz(left); sets_.together(first + q, place)) asking &= ~(std::uint32_t{1} << q);
      if (asking == 0) return;
      const Index hit = search_.kernels.find_first(pair, asking, core_[b]);
      if (hit < 0) return;
      const auto q = static_cast<std::int32_t>(hit / kLeaf);
      sets_.unite(first + q, place);
      asking &= ~((std::uint32_t{2} << q) - 1u);  // lower ones have no neighbour there
    }
  }

  void join_all(Index a, Index b, std::uint32_t asking) noexcept {
    std::array<std::uint32_t, kLeaf> hits;
    std::uint32_t found = search_.kernels.find(search_.pair(tree_.block(a), b), asking, hits.data());
    for (; found != 0; found &= found - 1) {
      const int q = __builtin_ctz(found);
      const auto place = static_cast<std::int32_t>(a * kLeaf + q);
      for (std::uint32_t left = hits[static_cast<std::size_t>(q)] & core_[b]; left != 0; left &= left - 1)
        sets_.unite(place, static_cast<std::int32_t>(b * kLeaf + __builtin_ctz(left)));
    }
  }

  const Search& search_;
  const KdTree& tree_;
  const std::uint32_t* core_;
  DisjointSets sets_;
  Buffer<std::int32_t> state_;
};

}  // namespace mlcore::cluster::dbscan
