// Histograms of the nodes of one tree: summed up by a team, kept in a pool.
//
// A histogram that one task sums up goes straight to its place. Else each thread collects a part of its own, and the
// parts of a group of columns are added up when it is searched.
#pragma once
#include <algorithm>
#include <memory>
#include <vector>

#include "tree/histogram_pool.hpp"
#include "tree/phases.hpp"

namespace mlcore::tree {

class NodeHistograms {
 public:
  /// most_nodes 0: no limit but the bytes.
  NodeHistograms(const BinnedMatrix& binned, const TreeKernels& kernel, Index bytes, Index most_nodes)
      : binned_(binned),
        kernel_(kernel),
        cells_(binned),
        pool_(cells_.total(), slots(cells_.total(), bytes, most_nodes)) {
    for (std::size_t b = 0; b < binned.blocks().size(); ++b)
      block_of_.insert(block_of_.end(), static_cast<std::size_t>(binned.blocks()[b].groups), b);
  }

  HistogramPool& pool() noexcept { return pool_; }
  Index total() const noexcept { return cells_.total(); }
  Sums group(Histogram& h, Index g) const noexcept { return h.at(cells_.first(g)); }
  Histogram empty() const { return Histogram(cells_.total()); }

  /// Room for the threads of a team.
  void prepare(int members) {
    while (static_cast<int>(parts_.size()) < members) {
      parts_.emplace_back();
      parts_.back().packed = Buffer<std::uint64_t>::zeros({kBlockColumns, kPackedStride});
      parts_.back().used.assign(binned_.blocks().size(), 0);
    }
  }

  /// Sums of rows (null: first, first + 1, ...): to `target` itself, or to the threads' parts; returns which.
  bool build(const Phases& phase, const std::uint32_t* rows, Index first, Index count, const std::uint64_t* pairs,
             const PairLayout& layout, Histogram& target) {
    const auto& blocks = binned_.blocks();
    const auto block_count = static_cast<Index>(blocks.size());
    const double work = static_cast<double>(count) * static_cast<double>(block_of_.size()) * kNsPerUpdate;
    Index chunks = ceil_div(count, layout.block_rows);
    if (phase.pays(work) && block_count < phase.size()) chunks = std::max<Index>(chunks, phase.size());
    const bool direct = chunks == 1;
    if (!direct)
      for (Part& part : parts_) std::fill(part.used.begin(), part.used.end(), std::uint8_t{0});
    phase(chunks * block_count, work, [&](Index task) {
      const auto b = static_cast<std::size_t>(task % block_count);
      const Index chunk = task / block_count;
      const Index begin = count * chunk / chunks, end = count * (chunk + 1) / chunks;
      Part& own = parts_[static_cast<std::size_t>(phase.member())];
      if (!direct && !own.sums) own.sums = std::make_unique<Histogram>(cells_.total());
      const auto& block = blocks[b];
      kernel_.accumulate({block.records, block.width, block.groups}, rows != nullptr ? rows + begin : nullptr,
                         first + begin, end - begin, pairs, own.packed.data());
      Histogram& into = direct ? target : *own.sums;
      for (Index c = 0; c < block.groups; ++c) {
        const Index g = block.first_group + c;
        kernel_.spill(own.packed.data() + c * kPackedStride, binned_.cells(g), layout, !direct && own.used[b] != 0,
                      into.at(cells_.first(g)));
      }
      if (!direct) own.used[b] = 1;
    });
    return direct;
  }

  /// Adds up the threads' parts of a group.
  void collect(Index g, Histogram& target) {
    const std::size_t b = block_of_[static_cast<std::size_t>(g)];
    const Index first = cells_.first(g), size = binned_.cells(g);
    const Sums sums = target.at(first);
    bool begun = false;
    for (Part& own : parts_) {
      if (own.used[b] == 0) continue;
      const Sums part = own.sums->at(first);
      if (begun) {
        kernel_.add(part, size, sums);
      } else {
        std::copy_n(part.gradient, size, sums.gradient);
        std::copy_n(part.hessian, size, sums.hessian);
        std::copy_n(part.count, size, sums.count);
        begun = true;
      }
    }
  }

 private:
  static constexpr double kNsPerUpdate = 0.35;

  struct Part {
    Buffer<std::uint64_t> packed;
    std::unique_ptr<Histogram> sums;
    std::vector<std::uint8_t> used;  // a block: the sums hold something of this node
  };

  static Index slots(Index cells, Index bytes, Index most_nodes) {
    const Index most = std::max<Index>(1, bytes / (cells * Histogram::kBytesPerCell));
    return most_nodes > 0 ? std::min(most, most_nodes) : most;
  }

  const BinnedMatrix& binned_;
  const TreeKernels& kernel_;
  CellLayout cells_;
  HistogramPool pool_;
  std::vector<std::size_t> block_of_;
  std::vector<Part> parts_;
};

}  // namespace mlcore::tree
