// Last part of DBSCAN: labels of rows that are not core, and of new rows.
#pragma once
#include <algorithm>
#include <array>

#include "cluster/dbscan_search.hpp"

namespace mlcore::cluster::dbscan {

/// Lowest label among the core rows within reach. Labels stand by place, kNoLabel where a place holds no core row.
class LowestLabel {
 public:
  LowestLabel(const Search& search, const std::int32_t* labels)
      : search_(search), labels_(labels), lowest_({search.tree.nodes}) {
    gather(search.tree.root());
  }

  struct Question {
    const double* queries = nullptr;
    std::uint32_t asking = 0;
    double* box = nullptr;  ///< of the asking slots
    std::array<std::int32_t, kLeaf> best{};
  };

  void answer(Question& question) const {
    question.best.fill(kNoLabel);
    box_of(question.queries, question.asking, search_.tree.d, question.box);
    visit(search_.tree.root(), question, search_.distances(question.box, search_.tree.root()));
  }

 private:
  std::int32_t gather(const KdNode& node) noexcept {
    std::int32_t lowest = kNoLabel;
    if (node.is_leaf()) {
      for (Index s = 0; s < kLeaf; ++s) lowest = std::min(lowest, labels_[node.first * kLeaf + s]);
    } else {
      lowest = std::min(gather(node.left()), gather(node.right()));
    }
    return lowest_[node.id] = lowest;
  }

  void visit(const KdNode& node, Question& question, const BoxDistances& away) const {
    if (away.least > search_.reach.surely_over) return;
    std::uint32_t open = 0;  // who could still get a lower label here
    for (std::uint32_t left = question.asking; left != 0; left &= left - 1)
      if (const int q = __builtin_ctz(left); lowest_[node.id] < question.best[static_cast<std::size_t>(q)])
        open |= std::uint32_t{1} << q;
    if (open == 0) return;
    if (away.most <= search_.reach.surely_in) {
      for (; open != 0; open &= open - 1)
        question.best[static_cast<std::size_t>(__builtin_ctz(open))] = lowest_[node.id];
    } else if (node.is_leaf()) {
      std::array<std::uint32_t, kLeaf> hits;
      std::uint32_t found = search_.kernels.find(search_.pair(question.queries, node.first), open, hits.data());
      for (; found != 0; found &= found - 1) {
        const auto q = static_cast<std::size_t>(__builtin_ctz(found));
        for (std::uint32_t left = hits[q]; left != 0; left &= left - 1)
          question.best[q] = std::min(question.best[q], labels_[node.first * kLeaf + __builtin_ctz(left)]);
      }
    } else {
      const KdNode left = node.left(), right = node.right();
      visit(left, question, search_.distances(question.box, left));
      visit(right, question, search_.distances(question.box, right));
    }
  }

  const Search& search_;
  const std::int32_t* labels_;
  Buffer<std::int32_t> lowest_;
};

}  // namespace mlcore::cluster::dbscan
