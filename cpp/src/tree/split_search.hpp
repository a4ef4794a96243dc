// Best splits of one or two nodes from their histograms.
//
// Two searches run in one round: that of a node whose rows were just summed up, and that of its sibling, whose
// histogram is what their parent had minus those sums. Columns are shared out among a team.
#pragma once
#include <cstdint>
#include <vector>

#include "mlcore/base/buffer.hpp"
#include "mlcore/tree/grower.hpp"
#include "tree/node_histograms.hpp"

namespace mlcore::tree {

struct BestSplit {
  Candidate candidate;
  int feature = -1;                       ///< -1: no split gains
  std::uint32_t categories_left[8] = {};  ///< a bit a category, of a categorical column
};

class SplitSearch {
 public:
  /// Side of the fresh node and of its sibling.
  enum Side { kFresh = 0, kSibling = 1 };

  struct Request {
    Histogram* sums = nullptr;       ///< to complete; null: there is no such node
    const NodeView* node = nullptr;  ///< to find a split of; null: the histogram only
    double value = 0.0;              ///< of the node as a leaf
  };

  SplitSearch(const BinnedMatrix& binned, const TreeKernels& kernel, NodeHistograms& histograms,
              const GrowerSpec& spec);

  const Objective& objective() const noexcept { return objective_; }
  /// What one unit of the integer sums stands for; hessians that are all the same are not rounded.
  void set_units(double gradient, double hessian, bool equal_hessians) noexcept {
    objective_.gradient_unit = gradient;
    objective_.hessian_unit = hessian;
    equal_hessians_ = equal_hessians;
  }
  /// Room for the threads of a team.
  void prepare(int members);
  /// One flag a column: whether the next search of this side may use it.
  std::vector<std::uint8_t>& allowed(Side side) noexcept { return sides_[side].allowed; }
  int monotonic(int feature) const noexcept {
    return spec_.monotonic.empty() ? 0 : spec_.monotonic[static_cast<std::size_t>(feature)];
  }

  /// Completes the histograms (fresh: sums of the threads unless `direct`; sibling: minus the fresh ones) and finds the
  /// best splits.
  void run(const Phases& phase, const Request& fresh, const Request& sibling, bool direct);
  const BestSplit& found(Side side) const noexcept { return sides_[side].best; }

 private:
  static constexpr Index kScratch = 272;  // words for the bins of a column

  struct PerSide {
    std::vector<std::uint8_t> allowed;
    std::vector<Candidate> candidates;
    std::vector<std::uint32_t> bits;  // 8 words a column
    BestSplit best;
  };

  void search_group(int member, PerSide& side, const NodeView& node, Index g, const Sums& sums);
  void search_cells(PerSide& side, const NodeView& node, Index g, const Sums& sums, double* gains) const;
  void search_column(int member, PerSide& side, const NodeView& node, Index j, const Sums& sums);
  std::int64_t present_rows(Index j, const Sums& bundle) const noexcept;
  void unbundle(Index j, const NodeView& node, const Sums& bundle, const Sums& own) const noexcept;
  void choose(PerSide& side, const Request& request);
  double rounding_gain(const NodeView& node, double value) const noexcept;

  const BinnedMatrix& binned_;
  const TreeKernels& kernel_;
  NodeHistograms& histograms_;
  const GrowerSpec& spec_;
  Objective objective_;
  bool equal_hessians_ = false;
  std::vector<std::uint8_t> two_bins_;  // a group: a bundle of columns that are 0, or one other value
  PerSide sides_[2];
  std::vector<Buffer<std::int64_t>> scratch_;  // a thread
};

}  // namespace mlcore::tree
