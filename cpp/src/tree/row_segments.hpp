// The rows of nodes: pieces of two arrays of row numbers.
#pragma once
#include <algorithm>
#include <utility>
#include <vector>

#include "mlcore/base/buffer.hpp"
#include "mlcore/base/sizes.hpp"
#include "mlcore/base/views.hpp"
#include "mlcore/runtime/memory.hpp"
#include "tree/histogram.kernels.hpp"
#include "tree/phases.hpp"

namespace mlcore::tree {

/// The rows of a node, in ascending order.
struct Segment {
  Index begin = 0;
  Index count = 0;
  int array = 0;  ///< 0, 1; -1: all rows, unwritten
};

class RowSegments {
 public:
  explicit RowSegments(Index n) : n_(n), marks_(ceil_div(n, kMarkedRows)) {
    for (auto& array : arrays_) {
      array = Buffer<std::uint32_t>(n);
      runtime::prefer_huge_pages(array.data(), n * static_cast<Index>(sizeof(std::uint32_t)));
    }
  }

  /// All rows, or those of the subset.
  Segment root(VectorView<const std::uint32_t> subset) {
    if (subset.empty()) return {0, n_, -1};
    std::copy_n(subset.data, subset.size, arrays_[0].data());
    return {0, subset.size, 0};
  }

  /// Null: begin, begin + 1, ...
  const std::uint32_t* rows(const Segment& s) const noexcept {
    return s.array < 0 ? nullptr : arrays_[s.array].data() + s.begin;
  }

  /// Sorts the rows of a node into its two halves: in the array where they are, or, with a team, into the other one.
  std::pair<Segment, Segment> split(const TreeKernels& kernel, const Phases& phase, const Segment& from,
                                    const std::uint8_t* column, const Route& route, Index left_count) {
    const std::uint32_t* source = rows(from);
    const double work = kNsPerRow * static_cast<double>(from.count);
    const Index right_count = from.count - left_count;
    const auto halves = [&](int array) {
      return std::pair{Segment{from.begin, left_count, array}, Segment{from.begin + left_count, right_count, array}};
    };
    if (!phase.pays(work)) {
      const int array = from.array < 0 ? 0 : from.array;
      std::uint32_t* home = arrays_[array].data() + from.begin;
      std::uint32_t* away = arrays_[1 - array].data() + from.begin;
      kernel.partition(column, source, from.begin, from.count, route, home, away);
      std::copy_n(away, right_count, home + left_count);
      return halves(array);
    }
    const int array = from.array < 0 ? 0 : 1 - from.array;
    std::uint32_t* target = arrays_[array].data() + from.begin;
    const Index size =
        round_up(std::clamp<Index>(ceil_div(from.count, 8 * phase.size()), 2048, kTaskRows), kMarkedRows);
    const Index tasks = ceil_div(from.count, size);
    std::vector<Index> lefts(static_cast<std::size_t>(tasks) + 1, 0);
    const auto piece = [&](Index t) {
      const Index first = t * size;
      return std::pair{first, std::min(size, from.count - first)};
    };
    phase(tasks, work, [&](Index t) {
      const auto [first, count] = piece(t);
      lefts[static_cast<std::size_t>(t) + 1] = kernel.mark(column, source != nullptr ? source + first : nullptr,
                                                           from.begin + first, count, route, marks_of(first));
    });
    for (std::size_t t = 1; t < lefts.size(); ++t) lefts[t] += lefts[t - 1];
    phase(tasks, work, [&](Index t) {
      const auto [first, count] = piece(t);
      const Index before = lefts[static_cast<std::size_t>(t)];
      kernel.partition_marked(source != nullptr ? source + first : nullptr, from.begin + first, count, marks_of(first),
                              target + before, target + left_count + (first - before));
    });
    return halves(array);
  }

 private:
  static constexpr double kNsPerRow = 2.5;
  static constexpr Index kTaskRows = 16384;

  Marks* marks_of(Index row) noexcept { return marks_.data() + row / kMarkedRows; }

  Index n_;
  Buffer<Marks> marks_;  // of the node that is being split
  Buffer<std::uint32_t> arrays_[2];
};

}  // namespace mlcore::tree
