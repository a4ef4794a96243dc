// What growers have in common once nodes are split: which node is next, and the nodes as a Tree.
//
// A Node has segment, view, depth, feature, left, right (-1: leaf), bitset (-1: numeric), missing_left, value,
// split.gain.
#pragma once
#include <algorithm>
#include <utility>
#include <vector>

#include "mlcore/tree/grower.hpp"
#include "tree/tree_leaves.hpp"

namespace mlcore::tree {

/// The nodes that have a split to offer; the best is on top. Ties go to the older node.
template <class Node>
class OpenNodes {
 public:
  OpenNodes(const std::vector<Node>& nodes, bool level_wise) : nodes_(nodes), level_wise_(level_wise) {}

  void offer(int id) {
    if (nodes_[static_cast<std::size_t>(id)].feature < 0) return;
    heap_.push_back(id);
    std::push_heap(heap_.begin(), heap_.end(), [this](int a, int b) { return worse(a, b); });
  }
  bool empty() const noexcept { return heap_.empty(); }
  int take() {
    std::pop_heap(heap_.begin(), heap_.end(), [this](int a, int b) { return worse(a, b); });
    const int id = heap_.back();
    heap_.pop_back();
    return id;
  }

 private:
  bool worse(int a, int b) const noexcept {
    const Node& x = nodes_[static_cast<std::size_t>(a)];
    const Node& y = nodes_[static_cast<std::size_t>(b)];
    if (level_wise_ && x.depth != y.depth) return x.depth > y.depth;
    if (!level_wise_ && x.split.gain != y.split.gain) return x.split.gain < y.split.gain;
    return a > b;
  }

  const std::vector<Node>& nodes_;
  bool level_wise_;
  std::vector<int> heap_;
};

/// The splits on monotone columns, for leaves in the order of the tree.
inline void find_monotone_splits(const Tree& tree, const std::vector<std::size_t>& first_leaf,
                                 const std::vector<std::int8_t>& monotonic, std::vector<MonotoneSplit>& found) {
  found.clear();
  if (monotonic.empty()) return;
  const std::size_t size = tree.feature.size();
  std::vector<std::size_t> end(size);  // leaves before the end of the subtree
  for (std::size_t i = size; i-- > 0;)
    end[i] = tree.right[i] < 0 ? first_leaf[i] + 1 : end[static_cast<std::size_t>(tree.right[i])];
  for (std::size_t i = 0; i < size; ++i) {
    if (tree.right[i] < 0) continue;
    const int sign = monotonic[static_cast<std::size_t>(tree.feature[i])];
    if (sign != 0) found.push_back({sign, first_leaf[i], first_leaf[static_cast<std::size_t>(tree.right[i])], end[i]});
  }
}

/// Nodes in pre-order, and their leaves. cut(node) -> {bin, threshold} of a numeric split; evaluate(leaves) may set
/// values and covers of the leaves anew before they enter the tree.
template <class Node, class Cut, class Evaluate>
Tree assemble(const std::vector<Node>& nodes, const std::vector<std::uint32_t>& bitsets, const GrowerSpec& spec,
              double hessian_unit, TreeLeaves& leaves, Cut&& cut, Evaluate&& evaluate) {
  Tree tree;
  leaves.all.clear();
  std::vector<std::pair<int, int>> open{{0, -1}};  // node, parent whose right child it is
  std::vector<int> order;
  std::vector<std::size_t> first_leaf;
  const auto cover_of = [&](const Node& node) { return static_cast<double>(node.view.hessian) * hessian_unit; };
  while (!open.empty()) {
    const auto [id, parent] = open.back();
    open.pop_back();
    const Node& node = nodes[static_cast<std::size_t>(id)];
    const auto place = static_cast<std::int32_t>(order.size());
    if (parent >= 0) tree.right[static_cast<std::size_t>(parent)] = place;
    order.push_back(id);
    first_leaf.push_back(leaves.all.size());
    const bool leaf = node.left < 0;
    const bool categorical = !leaf && node.bitset >= 0;
    const std::pair<std::int32_t, double> at =
        leaf || categorical ? std::pair<std::int32_t, double>{-1, 0.0} : cut(node);
    tree.feature.push_back(leaf ? -1 : node.feature);
    tree.bin.push_back(at.first);
    tree.threshold.push_back(at.second);
    tree.missing_left.push_back(!leaf && node.missing_left ? 1 : 0);
    tree.left.push_back(leaf ? -1 : place + 1);
    tree.right.push_back(-1);
    tree.gain.push_back(leaf ? 0.0 : node.split.gain);
    tree.count.push_back(node.view.count);
    tree.depth.push_back(static_cast<std::int32_t>(node.depth));
    tree.is_categorical.push_back(categorical ? 1 : 0);
    tree.bitset_index.push_back(-1);
    if (categorical) {
      tree.bitset_index.back() = static_cast<std::int32_t>(tree.bitsets.size() / 8);
      const auto* bits = bitsets.data() + 8 * static_cast<std::size_t>(node.bitset);
      tree.bitsets.insert(tree.bitsets.end(), bits, bits + 8);
    }
    if (leaf) {
      leaves.all.push_back({place, node.segment, node.view.lower, node.view.upper, node.value, cover_of(node)});
    } else {
      open.emplace_back(node.right, place);
      open.emplace_back(node.left, -1);
    }
  }
  evaluate(leaves);
  for (std::size_t i = 0; i < order.size(); ++i) {
    const Node& node = nodes[static_cast<std::size_t>(order[i])];
    const bool leaf = node.left < 0;
    const Leaf* own = leaf ? &leaves.all[first_leaf[i]] : nullptr;
    tree.value.push_back(spec.learning_rate * (leaf ? own->value : node.value));
    tree.cover.push_back(leaf ? own->cover : cover_of(node));
  }
  find_monotone_splits(tree, first_leaf, spec.monotonic, leaves.monotone);
  return tree;
}

}  // namespace mlcore::tree
