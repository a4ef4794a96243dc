#include "mlcore/neighbors/nearest.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <vector>

#include "mlcore/base/errors.hpp"
#include "mlcore/runtime/interrupt.hpp"
#include "mlcore/runtime/parallel.hpp"
#include "mlcore/runtime/threads.hpp"

namespace mlcore::neighbors {

namespace {

constexpr Index kLeavesPerTask = 8;
constexpr double kNsPerQuery = 500.0, kNsPerQueryAndColumn = 20.0;

struct Candidate {
  double r;
  std::int32_t row;
  friend bool operator<(const Candidate& a, const Candidate& b) noexcept {
    return a.r < b.r || (a.r == b.r && a.row < b.row);
  }
};

/// Answers the queries of one leaf after another. A heap of k candidates for each query, the worst on top.
class Asker {
 public:
  Asker(const KdTree& tree, const KdTree& queries, const NearestSpec& spec)
      : tree_(tree), queries_(queries), spec_(spec), kernels_(leaf_kernels(spec.metric)), heaps_({kLeaf, spec.k}) {}

  void answer(Index leaf, Nearest& result) {
    leaf_ = leaf;
    slots_ = queries_.slots(leaf);
    box_ = queries_.box(queries_.node_of[leaf]);
    const Candidate none{std::numeric_limits<double>::infinity(), std::numeric_limits<std::int32_t>::max()};
    std::fill(heaps_.begin(), heaps_.end(), none);
    worst_ = none.r;
    if (&tree_ == &queries_)
      around(leaf);
    else
      visit(tree_.root(), box_distance(spec_.metric, box_, tree_.box(0), tree_.d));
    for (std::uint32_t left = slots_; left != 0; left &= left - 1) {
      const int slot = __builtin_ctz(left);
      Candidate* heap = heaps_.data() + slot * spec_.k;
      const Index row = queries_.row_of[leaf * kLeaf + slot];
      if (spec_.farthest_alone) {
        result.distances[row] = distance_of(spec_.metric, heap->r);
        continue;
      }
      std::sort_heap(heap, heap + spec_.k);
      for (Index i = 0; i < spec_.k; ++i) {
        result.distances[row * spec_.k + i] = distance_of(spec_.metric, heap[i].r);
        if (spec_.want_rows) result.rows[row * spec_.k + i] = heap[i].row;
      }
    }
  }

 private:
  // From the leaf outwards: the siblings of the leaf and of its ancestors.
  void around(Index leaf) {
    std::array<KdNode, 64> siblings;
    int depth = 0;
    for (KdNode node = tree_.root(); !node.is_leaf();) {
      const KdNode left = node.left(), right = node.right();
      const bool in_left = leaf < left.last;
      siblings[static_cast<std::size_t>(depth++)] = in_left ? right : left;
      node = in_left ? left : right;
    }
    ask_leaf(leaf);
    while (depth > 0) {
      const KdNode& node = siblings[static_cast<std::size_t>(--depth)];
      visit(node, box_distance(spec_.metric, box_, tree_.box(node.id), tree_.d));
    }
  }

  void visit(const KdNode& node, double away) {
    if (away > reach_of(worst_, tree_.d).surely_over) return;
    if (node.is_leaf()) {
      ask_leaf(node.first);
      return;
    }
    KdNode near = node.left(), far = node.right();
    double to_near = box_distance(spec_.metric, box_, tree_.box(near.id), tree_.d);
    double to_far = box_distance(spec_.metric, box_, tree_.box(far.id), tree_.d);
    if (to_far < to_near) {
      std::swap(near, far);
      std::swap(to_near, to_far);
    }
    visit(near, to_near);
    visit(far, to_far);
  }

  void ask_leaf(Index leaf) {
    const double* block = tree_.block(leaf);
    const double* box = tree_.box(tree_.node_of[leaf]);
    const std::int32_t* rows = tree_.row_of.data() + leaf * kLeaf;
    const double* points = queries_.block(leaf_);
    std::array<double, kLeaf> r;
    double worst = 0.0;
    for (std::uint32_t left = slots_; left != 0; left &= left - 1) {
      const int slot = __builtin_ctz(left);
      Candidate* heap = heaps_.data() + slot * spec_.k;
      const std::int32_t own = spec_.leave_out_own_row ? queries_.row_of[leaf_ * kLeaf + slot] : -1;
      std::uint32_t hits = kernels_.within(points + slot, kLeaf, block, box, tree_.d, spec_.metric.p, heap->r,
                                           reach_of(heap->r, tree_.d).surely_over, r.data()) &
                           tree_.slots(leaf);
      for (; hits != 0; hits &= hits - 1) {
        const auto s = static_cast<std::size_t>(__builtin_ctz(hits));
        const Candidate candidate{r[s], rows[s]};
        if (candidate.row == own || !(candidate < *heap)) continue;
        std::pop_heap(heap, heap + spec_.k);
        heap[spec_.k - 1] = candidate;
        std::push_heap(heap, heap + spec_.k);
      }
      worst = std::max(worst, heap->r);
    }
    worst_ = worst;
  }

  const KdTree &tree_, &queries_;
  const NearestSpec& spec_;
  const LeafKernels& kernels_;
  Buffer<Candidate> heaps_;
  Index leaf_ = 0;
  std::uint32_t slots_ = 0;
  const double* box_ = nullptr;
  double worst_ = 0.0;
};

}  // namespace

Nearest nearest(const KdTree& tree, const KdTree& queries, const NearestSpec& spec) {
  require(tree.d == queries.d, "the queries must have as many columns as the rows");
  require(!spec.leave_out_own_row || tree.n == queries.n, "own rows can be left out where the queries are the rows");
  require(spec.k >= 1 && spec.k <= tree.n - (spec.leave_out_own_row ? 1 : 0), "k must be at most the number of rows");
  Nearest result;
  require(!(spec.farthest_alone && spec.want_rows), "rows are given for all neighbours or for none");
  result.distances = Buffer<double>({queries.n, spec.farthest_alone ? 1 : spec.k});
  if (spec.want_rows) result.rows = Buffer<Index>({queries.n, spec.k});
  const double work =
      static_cast<double>(queries.n) * (kNsPerQuery + kNsPerQueryAndColumn * static_cast<double>(tree.d));
  const int threads = runtime::threads_for_work(runtime::resolve_threads(spec.n_jobs).threads, work);
  runtime::Interrupt interrupt;
  runtime::parallel_team(threads, [&](runtime::Team& team) {
    team.for_each(ceil_div(queries.leaves, kLeavesPerTask), [&](Index task) {
      Asker asker(tree, queries, spec);
      const Index last = std::min(queries.leaves, (task + 1) * kLeavesPerTask);
      for (Index leaf = task * kLeavesPerTask; leaf < last; ++leaf) {
        if (team.is_leader()) interrupt.poll();
        asker.answer(leaf, result);
      }
    });
  });
  return result;
}

}  // namespace mlcore::neighbors
