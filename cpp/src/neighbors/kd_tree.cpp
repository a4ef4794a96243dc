#include "mlcore/neighbors/kd_tree.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "mlcore/base/errors.hpp"
#include "mlcore/runtime/interrupt.hpp"
#include "mlcore/runtime/parallel.hpp"
#include "mlcore/runtime/threads.hpp"

namespace mlcore::neighbors {

namespace {

constexpr double kNsPerRowAndLevel = 8.0;
constexpr Index kSample = 64;        // rows that estimate the widest column of a large node
constexpr Index kSerialLeaves = 64;  // nodes of fewer leaves are split by one thread
constexpr Index kBlocksPerTask = 64;

struct Keyed {
  double key;
  std::int32_t row;
  friend bool operator<(const Keyed& a, const Keyed& b) noexcept {
    return a.key < b.key || (a.key == b.key && a.row < b.row);
  }
};

template <class T>
class Builder {
 public:
  Builder(const MatrixView<const T>& x, int threads) : x_(x), threads_(threads), items_({x.rows}) {
    tree_.n = x.rows;
    tree_.d = x.cols;
    tree_.leaves = ceil_div(x.rows, kLeaf);
    Index width = 1;
    while (width < tree_.leaves) width *= 2;
    tree_.nodes = 2 * width - 1;
    tree_.row_of = Buffer<std::int32_t>({tree_.leaves, kLeaf});
    tree_.node_of = Buffer<std::int32_t>({tree_.leaves});
    tree_.blocks = Buffer<double>({tree_.leaves, x.cols, kLeaf});
    tree_.boxes = Buffer<double>({tree_.nodes, 2, x.cols});
  }

  KdTree build() {
    for (Index i = 0; i < x_.rows; ++i) items_[i].row = static_cast<std::int32_t>(i);
    runtime::parallel_team(threads_, [&](runtime::Team& team) {
      std::vector<KdNode> level{tree_.root()}, large;
      std::vector<KdNode> small;
      while (!level.empty()) {
        large.clear();
        for (const KdNode& node : level) (node.last - node.first > kSerialLeaves ? large : small).push_back(node);
        team.for_each(static_cast<Index>(large.size()), [&](Index i) {
          if (team.is_leader()) interrupt_.poll();
          split(large[static_cast<std::size_t>(i)]);
        });
        level.clear();
        for (const KdNode& node : large) level.push_back(node.left()), level.push_back(node.right());
      }
      team.for_each(static_cast<Index>(small.size()), [&](Index i) {
        if (team.is_leader()) interrupt_.poll();
        finish(small[static_cast<std::size_t>(i)]);
      });
      large_boxes(tree_.root());
    });
    return std::move(tree_);
  }

 private:
  double at(std::int32_t row, Index j) const noexcept { return static_cast<double>(x_(row, j)); }

  Index widest(Index begin, Index end) const noexcept {
    const Index count = std::min<Index>(end - begin, kSample);
    Index best = 0;
    double width = -1.0;
    for (Index j = 0; j < x_.cols; ++j) {
      double low = std::numeric_limits<double>::infinity(), high = -low;
      for (Index s = 0; s < count; ++s) {
        const double value = at(items_[begin + (end - begin) * s / count].row, j);
        low = std::min(low, value);
        high = std::max(high, value);
      }
      if (high - low > width) width = high - low, best = j;
    }
    return best;
  }

  void split(const KdNode& node) noexcept {
    const Index begin = node.first * kLeaf, end = begin + tree_.rows(node), middle = node.middle() * kLeaf;
    const Index column = widest(begin, end);
    for (Index i = begin; i < end; ++i) items_[i].key = at(items_[i].row, column);
    std::nth_element(items_.data() + begin, items_.data() + middle, items_.data() + end);
  }

  // Splits down to the leaves, then fills blocks and boxes on the way up.
  void finish(const KdNode& node) noexcept {
    if (node.is_leaf()) {
      fill(node);
      return;
    }
    split(node);
    finish(node.left());
    finish(node.right());
    join(node);
  }

  void large_boxes(const KdNode& node) noexcept {
    if (node.last - node.first <= kSerialLeaves) return;
    large_boxes(node.left());
    large_boxes(node.right());
    join(node);
  }

  void join(const KdNode& node) noexcept {
    const Index d = tree_.d;
    const double *a = tree_.box(node.left().id), *b = tree_.box(node.right().id);
    double* box = tree_.boxes.data() + node.id * 2 * d;
    for (Index j = 0; j < d; ++j) {
      box[j] = std::min(a[j], b[j]);
      box[d + j] = std::max(a[d + j], b[d + j]);
    }
  }

  void fill(const KdNode& node) noexcept {
    const Index leaf = node.first, d = tree_.d, begin = leaf * kLeaf, count = tree_.rows(node);
    std::int32_t* rows = tree_.row_of.data() + begin;
    for (Index s = 0; s < kLeaf; ++s) rows[s] = s < count ? items_[begin + s].row : -1;
    std::sort(rows, rows + count);
    double* block = tree_.blocks.data() + leaf * d * kLeaf;
    double* box = tree_.boxes.data() + node.id * 2 * d;
    tree_.node_of[leaf] = static_cast<std::int32_t>(node.id);
    for (Index j = 0; j < d; ++j, block += kLeaf) {
      double low = std::numeric_limits<double>::infinity(), high = -low;
      for (Index s = 0; s < count; ++s) {
        block[s] = at(rows[s], j);
        low = std::min(low, block[s]);
        high = std::max(high, block[s]);
      }
      for (Index s = count; s < kLeaf; ++s) block[s] = std::numeric_limits<double>::quiet_NaN();
      box[j] = low;
      box[d + j] = high;
    }
  }

  MatrixView<const T> x_;
  int threads_;
  Buffer<Keyed> items_;
  KdTree tree_;
  runtime::Interrupt interrupt_;
};

}  // namespace

template <class T>
KdTree build_kd_tree(const MatrixView<const T>& x, int n_jobs) {
  require(x.rows >= 1 && x.cols >= 1, "X must have at least one row and one column");
  if (x.rows > std::numeric_limits<std::int32_t>::max() - kLeaf) throw std::length_error("too many rows");
  const double levels = std::log2(static_cast<double>(ceil_div(x.rows, kLeaf)) + 1.0);
  const double work = static_cast<double>(x.rows) * (kNsPerRowAndLevel * levels + static_cast<double>(x.cols));
  return Builder<T>(x, runtime::threads_for_work(runtime::resolve_threads(n_jobs).threads, work)).build();
}

template KdTree build_kd_tree<float>(const MatrixView<const float>&, int);
template KdTree build_kd_tree<double>(const MatrixView<const double>&, int);

}  // namespace mlcore::neighbors
