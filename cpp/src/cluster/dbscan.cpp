// Driver of DBSCAN on rows. See the header for the method.
//
// Glossary
//   asking     slots of a leaf whose question is still open
//   state      of a node: kNoCore; the place of one core row when all of its core rows are known to be connected
//              ("uniform"); kOpen otherwise. It only ever goes from kOpen to uniform
//   piece      subtree that one thread connects within itself
#include "mlcore/cluster/dbscan.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <limits>
#include <vector>

#include "cluster/disjoint_sets.hpp"
#include "mlcore/base/errors.hpp"
#include "mlcore/neighbors/kd_tree.hpp"
#include "mlcore/runtime/interrupt.hpp"
#include "mlcore/runtime/parallel.hpp"
#include "mlcore/runtime/threads.hpp"

namespace mlcore::cluster {

namespace {

using neighbors::BoxDistances;
using neighbors::KdNode;
using neighbors::KdTree;
using neighbors::kLeaf;
using neighbors::LeafKernels;
using neighbors::LeafPair;
using neighbors::Metric;
using neighbors::Reach;

constexpr std::int32_t kNoCore = -1, kOpen = -2;
constexpr std::int32_t kNoLabel = std::numeric_limits<std::int32_t>::max();
constexpr Index kPieces = 64;
constexpr Index kLeavesPerTask = 16;
constexpr double kNsPerRow = 50.0, kNsPerRowAndColumn = 5.0;

struct Search {
  const KdTree& tree;
  Metric metric;
  Reach reach;
  const LeafKernels& kernels;

  Search(const KdTree& t, const DbscanSpec& spec)
      : tree(t),
        metric(spec.metric),
        reach(neighbors::reach_of(spec.eps, t.d)),
        kernels(neighbors::leaf_kernels(spec.metric)) {}

  LeafPair pair(const double* queries, Index leaf) const noexcept {
    return {queries, tree.block(leaf), tree.box(tree.node_of[leaf]), tree.d, reach.bound, reach.surely_over, metric.p};
  }
  BoxDistances distances(const double* box, const KdNode& node) const noexcept {
    return neighbors::box_distances(metric, box, tree.box(node.id), tree.d);
  }
};

int bit_count(std::uint32_t bits) noexcept { return __builtin_popcount(bits); }

// The box around the asking slots of a block.
void box_of(const double* block, std::uint32_t asking, Index d, double* box) noexcept {
  for (Index j = 0; j < d; ++j) {
    double low = std::numeric_limits<double>::infinity(), high = -low;
    for (std::uint32_t left = asking; left != 0; left &= left - 1) {
      const double x = block[j * kLeaf + __builtin_ctz(left)];
      low = std::min(low, x);
      high = std::max(high, x);
    }
    box[j] = low;
    box[d + j] = high;
  }
}

// ---- core rows ----

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

// ---- components ----

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

// ---- labels of rows that are not core ----

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

int threads_for(Index rows, Index columns, int n_jobs) noexcept {
  const double work = static_cast<double>(rows) * (kNsPerRow + kNsPerRowAndColumn * static_cast<double>(columns));
  return runtime::threads_for_work(runtime::resolve_threads(n_jobs).threads, work);
}

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

Buffer<std::uint32_t> core_slots(const Search& search, VectorView<const double> weights, double min_samples,
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

// Numbers the components by their lowest row; labels by place.
Buffer<std::int32_t> label_core(const KdTree& tree, const std::uint32_t* core, Components& components) {
  const Index places = tree.leaves * kLeaf;
  Buffer<std::int32_t> root_of_row({tree.n}), number({places}), labels({places});
  for (Index i = 0; i < tree.n; ++i) root_of_row[i] = -1;
  for (Index place = 0; place < places; ++place) {
    number[place] = labels[place] = kNoLabel;
    if ((core[place / kLeaf] >> (place % kLeaf) & 1u) != 0) root_of_row[tree.row_of[place]] = components.find(place);
  }
  std::int32_t clusters = 0;
  for (Index i = 0; i < tree.n; ++i)
    if (root_of_row[i] >= 0 && number[root_of_row[i]] == kNoLabel) number[root_of_row[i]] = clusters++;
  for (Index place = 0; place < places; ++place)
    if (const std::int32_t row = tree.row_of[place]; row >= 0 && root_of_row[row] >= 0)
      labels[place] = number[root_of_row[row]];
  return labels;
}

}  // namespace

template <class T>
DbscanResult dbscan_fit(const MatrixView<const T>& x, VectorView<const double> weights, const DbscanSpec& spec) {
  require(weights.empty() || weights.size == x.rows, "sample weights must have one value per row");
  const KdTree tree = neighbors::build_kd_tree(x, spec.n_jobs);
  const Search search(tree, spec);
  runtime::Interrupt interrupt;
  DbscanResult result;
  result.labels = Buffer<Index>({x.rows});
  Index core_rows = 0;
  Buffer<std::uint32_t> core;
  runtime::parallel_team(threads_for(x.rows, x.cols, spec.n_jobs), [&](runtime::Team& team) {
    core = core_slots(search, weights, spec.min_samples, team, interrupt);
    Components components(search, core.data());
    components.connect(team, interrupt);
    const Buffer<std::int32_t> by_place = label_core(tree, core.data(), components);
    const LowestLabel lowest(search, by_place.data());
    team.for_each(ceil_div(tree.leaves, kLeavesPerTask), [&](Index task) {
      Buffer<double> box({2, tree.d});
      LowestLabel::Question question;
      question.box = box.data();
      const Index last = std::min(tree.leaves, (task + 1) * kLeavesPerTask);
      for (Index leaf = task * kLeavesPerTask; leaf < last; ++leaf) {
        if (team.is_leader()) interrupt.poll();
        question.queries = tree.block(leaf);
        question.asking = tree.slots(leaf) & ~core[leaf];
        if (question.asking != 0) lowest.answer(question);
        for (std::uint32_t left = tree.slots(leaf); left != 0; left &= left - 1) {
          const Index s = __builtin_ctz(left), place = leaf * kLeaf + s;
          const bool is_core = (core[leaf] >> s & 1u) != 0;
          const std::int32_t label = is_core ? by_place[place] : question.best[static_cast<std::size_t>(s)];
          result.labels[tree.row_of[place]] = label == kNoLabel ? -1 : label;
        }
      }
    });
  });
  Buffer<bool> is_core = Buffer<bool>::zeros({x.rows});
  for (Index leaf = 0; leaf < tree.leaves; ++leaf)
    for (std::uint32_t left = core[leaf]; left != 0; left &= left - 1, ++core_rows)
      is_core[tree.row_of[leaf * kLeaf + __builtin_ctz(left)]] = true;
  result.core = Buffer<Index>({core_rows});
  for (Index i = 0, next = 0; i < x.rows; ++i)
    if (is_core[i]) result.core[next++] = i;
  return result;
}

template <class T>
Buffer<Index> dbscan_predict(const MatrixView<const T>& core, VectorView<const Index> core_labels,
                             const MatrixView<const T>& x, const DbscanSpec& spec) {
  require(core.rows == core_labels.size, "one label per core row");
  require(core.cols == x.cols, "X must have as many columns as the core rows");
  const KdTree tree = neighbors::build_kd_tree(core, spec.n_jobs), asking = neighbors::build_kd_tree(x, spec.n_jobs);
  const Search search(tree, spec);
  Buffer<std::int32_t> by_place({tree.leaves, kLeaf});
  for (Index place = 0; place < tree.leaves * kLeaf; ++place) {
    const std::int32_t row = tree.row_of[place];
    by_place[place] = row < 0 ? kNoLabel : static_cast<std::int32_t>(core_labels[row]);
  }
  const LowestLabel lowest(search, by_place.data());
  Buffer<Index> labels({x.rows});
  runtime::Interrupt interrupt;
  runtime::parallel_team(threads_for(x.rows, x.cols, spec.n_jobs), [&](runtime::Team& team) {
    team.for_each(ceil_div(asking.leaves, kLeavesPerTask), [&](Index task) {
      Buffer<double> box({2, tree.d});
      LowestLabel::Question question;
      question.box = box.data();
      const Index last = std::min(asking.leaves, (task + 1) * kLeavesPerTask);
      for (Index leaf = task * kLeavesPerTask; leaf < last; ++leaf) {
        if (team.is_leader()) interrupt.poll();
        question.queries = asking.block(leaf);
        question.asking = asking.slots(leaf);
        lowest.answer(question);
        for (std::uint32_t left = question.asking; left != 0; left &= left - 1) {
          const int s = __builtin_ctz(left);
          const std::int32_t label = question.best[static_cast<std::size_t>(s)];
          labels[asking.row_of[leaf * kLeaf + s]] = label == kNoLabel ? -1 : label;
        }
      }
    });
  });
  return labels;
}

#define MLCORE_INSTANTIATE(T)                                                                                \
  template DbscanResult dbscan_fit(const MatrixView<const T>&, VectorView<const double>, const DbscanSpec&); \
  template Buffer<Index> dbscan_predict(const MatrixView<const T>&, VectorView<const Index>,                 \
                                        const MatrixView<const T>&, const DbscanSpec&);
MLCORE_INSTANTIATE(float)
MLCORE_INSTANTIATE(double)

}  // namespace mlcore::cluster
