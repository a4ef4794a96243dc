// Histograms of nodes: memory that trees use again, and the sums that threads collect on their own.
#pragma once
#include <vector>

#include "mlcore/base/buffer.hpp"
#include "mlcore/base/sizes.hpp"
#include "mlcore/tree/binning.hpp"
#include "tree/histogram.kernels.hpp"

namespace mlcore::tree {

/// Where the bins of each group of columns lie in a histogram.
class CellLayout {
 public:
  explicit CellLayout(const BinnedMatrix& binned) : first_(static_cast<std::size_t>(binned.groups()) + 1) {
    for (Index g = 0; g < binned.groups(); ++g) {
      const Index cells = round_up(binned.cells(g), 8);  // whole cache lines
      first_[static_cast<std::size_t>(g) + 1] = first_[static_cast<std::size_t>(g)] + cells;
    }
  }
  Index first(Index g) const noexcept { return first_[static_cast<std::size_t>(g)]; }
  Index total() const noexcept { return first_.back(); }

 private:
  std::vector<Index> first_;
};

class Histogram {
 public:
  explicit Histogram(Index cells) : gradient_(cells), hessian_(cells), count_(cells) {}
  Sums at(Index cell) noexcept { return {gradient_.data() + cell, hessian_.data() + cell, count_.data() + cell}; }
  static constexpr Index kBytesPerCell = 20;

 private:
  Buffer<std::int64_t> gradient_, hessian_;
  Buffer<std::int32_t> count_;
};

/// Histograms by number. Takes memory on first use and keeps it; refuses beyond `most`.
class HistogramPool {
 public:
  HistogramPool(Index cells, Index most) : cells_(cells), most_(most) {}
  /// A free histogram, or -1.
  int acquire() {
    if (free_.empty()) {
      if (static_cast<Index>(all_.size()) >= most_) return -1;
      all_.emplace_back(cells_);
      free_.reserve(all_.size());
      return static_cast<int>(all_.size()) - 1;
    }
    const int slot = free_.back();
    free_.pop_back();
    return slot;
  }
  void release(int slot) {
    if (slot >= 0) free_.push_back(slot);
  }
  void release_all() {
    free_.clear();
    for (std::size_t i = all_.size(); i > 0; --i) free_.push_back(static_cast<int>(i) - 1);
  }
  Histogram& operator[](int slot) noexcept { return all_[static_cast<std::size_t>(slot)]; }

 private:
  Index cells_, most_;
  std::vector<Histogram> all_;
  std::vector<int> free_;
};

}  // namespace mlcore::tree
