// Growth of one tree.
//
// Glossary
//   segment   the rows of a node, see row_segments.hpp
//   slot      number of a histogram in the pool; the larger child takes over its parent's and subtracts its sibling's
//   phase     one round of the team; small ones run on the caller alone
#include "mlcore/tree/grower.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <tuple>

#include "mlcore/base/errors.hpp"
#include "mlcore/runtime/interrupt.hpp"
#include "tree/column_choice.hpp"
#include "tree/gradient_quantiser.hpp"
#include "tree/node_histograms.hpp"
#include "tree/objective.hpp"
#include "tree/split_search.hpp"
#include "tree/tree_leaves.hpp"

namespace mlcore::tree {

namespace {

constexpr double kNsPerUpdate = 0.35;  // bin update
constexpr double kInfinity = std::numeric_limits<double>::infinity();

const TreeKernels& kernels() { MLCORE_SELECT_KERNELS(tree_kernels) }

struct Node {
  Segment segment;
  NodeView view;
  Candidate split;
  Index depth = 0;
  int feature = -1;
  int slot = -1;
  int left = -1, right = -1;
  int bitset = -1;
  bool missing_left = false;
  double value = 0.0;
};

}  // namespace

struct Grower::State {
  const BinnedMatrix& binned;
  const GrowerSpec spec;
  const TreeKernels& kernel = kernels();
  const Index n, d;
  const int threads;
  NodeHistograms histograms;
  HistogramPool& pool = histograms.pool();
  Histogram spare, other_spare;  // for nodes that get no slot
  GradientPairs pairs;
  RowSegments rows;
  ColumnChoice choice;
  TreeLeaves leaves;
  SplitSearch search;
  const Objective& objective = search.objective();

  // Of the tree in work.
  VectorView<const float> gradients, hessians;
  std::vector<Node> nodes;
  std::vector<std::uint32_t> bitsets;
  Phases phase;

  State(const BinnedMatrix& matrix, const GrowerSpec& given)
      : binned(matrix),
        spec(given),
        n(matrix.rows()),
        d(matrix.columns()),
        threads(runtime::resolve_threads(given.n_jobs).threads),
        histograms(matrix, kernel, given.histogram_bytes, given.max_leaf_nodes > 0 ? given.max_leaf_nodes + 1 : 0),
        spare(histograms.empty()),
        other_spare(histograms.empty()),
        pairs(matrix.rows()),
        rows(matrix.rows()),
        choice(spec, matrix.columns()),
        leaves(rows, kernel, threads, given.learning_rate),
        search(matrix, kernel, histograms, spec) {
    require(spec.monotonic.empty() || static_cast<Index>(spec.monotonic.size()) == d,
            "monotonic_cst must have one value per column");
    require(spec.min_samples_leaf >= 1, "min_samples_leaf must be at least 1");
    require(spec.l1 >= 0.0 && spec.l2 >= 0.0 && spec.min_split_gain >= 0.0, "penalties must not be negative");
  }

  bool build(const Segment& segment, Histogram& target) {
    return histograms.build(phase, rows.rows(segment), segment.begin, segment.count, pairs.data(), pairs.layout(),
                            target);
  }

  // ---- split search ----

  /// A histogram to complete, and the node to search with it (-1: none).
  SplitSearch::Request request(int id, Histogram& sums) const noexcept {
    if (id < 0) return {&sums};
    const Node& node = nodes[static_cast<std::size_t>(id)];
    return {&sums, &node.view, node.value};
  }

  void keep_found(SplitSearch::Side side, int id) {
    const BestSplit& found = search.found(side);
    Node& node = nodes[static_cast<std::size_t>(id)];
    node.split = found.candidate;
    node.feature = found.feature;
    if (found.feature < 0 || !binned.is_categorical(found.feature)) return;
    node.bitset = static_cast<int>(bitsets.size() / 8);
    bitsets.insert(bitsets.end(), found.categories_left, found.categories_left + 8);
  }

  // ---- splitting ----

  double value_of(const NodeView& view) const noexcept {
    return leaf_value(static_cast<double>(view.gradient) * objective.gradient_unit,
                      static_cast<double>(view.hessian) * objective.hessian_unit, objective, view.lower, view.upper);
  }

  void complete_view(Node& node) const noexcept {
    node.value = value_of(node.view);
    node.view.score =
        leaf_score(static_cast<double>(node.view.gradient) * objective.gradient_unit,
                   static_cast<double>(node.view.hessian) * objective.hessian_unit, node.value, objective) +
        spec.min_split_gain;
  }

  void fill(SplitSearch::Side side, int id) {
    choice.fill(search.allowed(side), id, nodes[static_cast<std::size_t>(id)].depth);
  }

  bool may_split(const Node& node) const noexcept {
    return node.view.count >= 2 * spec.min_samples_leaf && (spec.max_depth == 0 || node.depth < spec.max_depth);
  }

  Route route_of(const Node& node) const {
    Route route;
    const int bins = binned.bins(node.feature);
    std::uint8_t goes_left[256] = {};
    if (node.bitset >= 0) {
      const std::uint32_t* bits = bitsets.data() + 8 * static_cast<std::size_t>(node.bitset);
      for (int b = 0; b < bins; ++b) goes_left[b] = (bits[b >> 5] >> (b & 31)) & 1;
    } else {
      for (int b = 0; b <= node.split.bin && b < bins; ++b) goes_left[b] = 1;
    }
    goes_left[bins] = node.missing_left ? 1 : 0;
    const BinnedMatrix::Place& place = binned.place(node.feature);
    if (place.absent < 0) {
      std::copy_n(goes_left, 256, route.goes_left);
      route.simple = node.bitset < 0;
      route.last_left = node.split.bin;
      route.missing = bins;
      route.missing_left = node.missing_left;
      return route;
    }
    std::fill_n(route.goes_left, 256, goes_left[place.absent]);
    for (int k = 0; k < place.codes; ++k) route.goes_left[place.first + k] = goes_left[k < place.absent ? k : k + 1];
    if (place.codes == 1) {  // one code against all others
      route.simple = true;
      route.missing = place.first;
      route.missing_left = true;
      route.flipped = route.goes_left[place.first] == 0;
    }
    return route;
  }

  void split(int id, bool last) {
    const int left_id = static_cast<int>(nodes.size()), right_id = left_id + 1;
    nodes.resize(nodes.size() + 2);
    Node& node = nodes[static_cast<std::size_t>(id)];
    Node& left = nodes[static_cast<std::size_t>(left_id)];
    Node& right = nodes[static_cast<std::size_t>(right_id)];
    const Candidate& c = node.split;
    node.left = left_id;
    node.right = right_id;
    node.missing_left = c.missing_left;

    const Route route = route_of(node);
    std::tie(left.segment, right.segment) =
        rows.split(kernel, phase, node.segment, binned.group(binned.place(node.feature).group), route, c.left_count);

    left.depth = right.depth = node.depth + 1;
    left.view = right.view = node.view;
    left.view.gradient = c.left_gradient;
    left.view.hessian = c.left_hessian;
    left.view.count = c.left_count;
    right.view.gradient -= c.left_gradient;
    right.view.hessian -= c.left_hessian;
    right.view.count -= c.left_count;
    if (const int sign = search.monotonic(node.feature); sign != 0) {
      const double middle = (value_of(left.view) + value_of(right.view)) / 2;
      (sign > 0 ? left : right).view.upper = middle;
      (sign > 0 ? right : left).view.lower = middle;
    }
    complete_view(left);
    complete_view(right);
    choice.pass_on(id, node.feature, left_id, right_id);
    const bool left_open = !last && may_split(left), right_open = !last && may_split(right);
    if (!left_open && !right_open) {
      pool.release(node.slot);
      node.slot = -1;
      return;
    }
    const bool left_smaller = left.segment.count <= right.segment.count;
    const int small_id = left_smaller ? left_id : right_id, large_id = left_smaller ? right_id : left_id;
    Node& small = left_smaller ? left : right;
    Node& large = left_smaller ? right : left;
    const bool small_open = left_smaller ? left_open : right_open;
    const bool large_open = left_smaller ? right_open : left_open;
    const bool inherits = node.slot >= 0 && large_open;
    if (node.slot >= 0 && !large_open) pool.release(node.slot);
    if (inherits) large.slot = node.slot;
    node.slot = -1;
    if (small_open) fill(SplitSearch::kFresh, small_id);
    if (small_open || inherits) {
      small.slot = pool.acquire();
      Histogram& sums = small.slot >= 0 ? pool[small.slot] : spare;
      const bool direct = build(small.segment, sums);
      if (large_open && inherits) fill(SplitSearch::kSibling, large_id);
      search.run(phase, request(small_open ? small_id : -1, sums),
                 inherits ? request(large_id, pool[large.slot]) : SplitSearch::Request{}, direct);
      if (small_open) keep_found(SplitSearch::kFresh, small_id);
      if (inherits) keep_found(SplitSearch::kSibling, large_id);
    }
    if (large_open && !inherits) {
      fill(SplitSearch::kFresh, large_id);
      large.slot = pool.acquire();
      Histogram& sums = large.slot >= 0 ? pool[large.slot] : other_spare;
      const bool direct = build(large.segment, sums);
      search.run(phase, request(large_id, sums), {}, direct);
      keep_found(SplitSearch::kFresh, large_id);
    }
    for (Node* child : {&small, &large})
      if (child->feature < 0 && child->slot >= 0) {
        pool.release(child->slot);
        child->slot = -1;
      }
  }

  void grow_nodes(VectorView<const std::uint32_t> subset) {
    runtime::Interrupt interrupt;
    nodes.clear();
    bitsets.clear();
    pool.release_all();
    Node root;
    root.segment = rows.root(subset);
    root.view.count = root.segment.count;
    root.view.lower = -kInfinity;
    root.view.upper = kInfinity;
    nodes.push_back(root);

    // Worse splits first, so that the heap's top is the best; ties go to the older node.
    const auto worse = [this](int a, int b) {
      const Node& x = nodes[static_cast<std::size_t>(a)];
      const Node& y = nodes[static_cast<std::size_t>(b)];
      if (spec.level_wise && x.depth != y.depth) return x.depth > y.depth;
      if (!spec.level_wise && x.split.gain != y.split.gain) return x.split.gain < y.split.gain;
      return a > b;
    };
    std::vector<int> heap;
    const auto offer = [&](int id) {
      if (nodes[static_cast<std::size_t>(id)].feature < 0) return;
      heap.push_back(id);
      std::push_heap(heap.begin(), heap.end(), worse);
    };

    {
      const int slot = pool.acquire();
      nodes[0].slot = slot;
      const bool direct = build(nodes[0].segment, pool[slot]);
      // The root's sums come from its first group, which needs the threads' parts added up.
      search.run(phase, request(-1, pool[slot]), {}, direct);
      const Sums sums = histograms.group(pool[slot], 0);
      for (int b = 0; b < binned.cells(0); ++b) {
        nodes[0].view.gradient += sums.gradient[b];
        nodes[0].view.hessian += sums.hessian[b];
      }
      complete_view(nodes[0]);
      if (may_split(nodes[0]) && spec.max_leaf_nodes != 1) {
        fill(SplitSearch::kFresh, 0);
        search.run(phase, request(0, pool[slot]), {}, true);
        keep_found(SplitSearch::kFresh, 0);
      }
      offer(0);
    }
    Index leaf_count = 1;
    while (!heap.empty() && (spec.max_leaf_nodes == 0 || leaf_count < spec.max_leaf_nodes)) {
      std::pop_heap(heap.begin(), heap.end(), worse);
      const int id = heap.back();
      heap.pop_back();
      ++leaf_count;
      split(id, spec.max_leaf_nodes != 0 && leaf_count == spec.max_leaf_nodes);
      offer(nodes[static_cast<std::size_t>(id)].left);
      offer(nodes[static_cast<std::size_t>(id)].right);
      interrupt.poll();
    }
  }

  Tree collect() {
    Tree tree;
    leaves.all.clear();
    leaves.monotone.clear();
    std::vector<std::pair<int, int>> open{{0, -1}};  // node, parent whose right child it is
    std::vector<int> order;
    std::vector<std::size_t> first_leaf;
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
      tree.feature.push_back(leaf ? -1 : node.feature);
      tree.bin.push_back(leaf || categorical ? -1 : node.split.bin);
      tree.threshold.push_back(leaf || categorical ? 0.0 : binned.threshold(node.feature, node.split.bin));
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
    if (!pairs.sums_are_values()) leaves.evaluate(gradients, hessians, objective);
    for (std::size_t i = 0; i < order.size(); ++i) {
      const Node& node = nodes[static_cast<std::size_t>(order[i])];
      const bool leaf = node.left < 0;
      const Leaf* own = leaf ? &leaves.all[first_leaf[i]] : nullptr;
      tree.value.push_back(spec.learning_rate * (leaf ? own->value : node.value));
      tree.cover.push_back(leaf ? own->cover : cover_of(node));
    }
    find_monotone_splits(tree, first_leaf);
    return tree;
  }

  double cover_of(const Node& node) const noexcept {
    return static_cast<double>(node.view.hessian) * objective.hessian_unit;
  }

  void find_monotone_splits(const Tree& tree, const std::vector<std::size_t>& first_leaf) {
    if (spec.monotonic.empty()) return;
    const std::size_t size = tree.feature.size();
    std::vector<std::size_t> end(size);  // leaves before the end of the subtree
    for (std::size_t i = size; i-- > 0;)
      end[i] = tree.right[i] < 0 ? first_leaf[i] + 1 : end[static_cast<std::size_t>(tree.right[i])];
    for (std::size_t i = 0; i < size; ++i)
      if (tree.right[i] >= 0 && search.monotonic(tree.feature[i]) != 0)
        leaves.monotone.push_back({search.monotonic(tree.feature[i]), first_leaf[i],
                                   first_leaf[static_cast<std::size_t>(tree.right[i])], end[i]});
  }

  Tree grow(VectorView<const float> g, VectorView<const float> h, VectorView<const std::uint32_t> subset,
            const std::uint8_t* column_mask, std::uint64_t seed) {
    require(g.size == n, "gradients must have one value per row");
    require(h.size == n || h.size == 1, "hessians must have one value per row, or one for all");
    require(h.size != 1 || (h[0] >= 0.0f && std::isfinite(h[0])), "a constant hessian must be finite and not negative");
    for (Index i = 0; i < subset.size; ++i)
      require(static_cast<Index>(subset[i]) < n && (i == 0 || subset[i - 1] < subset[i]), "rows must ascend below n");
    gradients = g;
    hessians = h;
    choice.begin_tree(column_mask, seed);
    const Index m = subset.empty() ? n : subset.size;
    const int wanted = runtime::threads_for_work(
        threads, static_cast<double>(m) * static_cast<double>(binned.groups()) * kNsPerUpdate * 2.0);
    runtime::parallel_team(wanted, [&](runtime::Team& team) {
      phase.team = &team;
      histograms.prepare(team.size());
      search.prepare(team.size());
      pairs.quantise(kernel, g, h, subset, seed, phase);
      const Quantiser& scales = pairs.quantiser();
      const double gradient_unit = scales.gradient_scale > 0.0 ? 1.0 / scales.gradient_scale : 0.0;
      const double hessian_unit = scales.hessian_scale > 0.0 ? 1.0 / scales.hessian_scale : 0.0;
      search.set_units(gradient_unit, h.size == 1 ? static_cast<double>(h[0]) : hessian_unit, h.size == 1);
      grow_nodes(subset);
      phase.team = nullptr;
    });
    return collect();
  }
};

Grower::Grower(const BinnedMatrix& binned, const GrowerSpec& spec) : state_(std::make_unique<State>(binned, spec)) {}
Grower::~Grower() = default;

Tree Grower::grow(VectorView<const float> gradients, VectorView<const float> hessians,
                  VectorView<const std::uint32_t> rows, const std::uint8_t* mask, std::uint64_t seed) {
  return state_->grow(gradients, hessians, rows, mask, seed);
}

Index Grower::leaves() const noexcept { return static_cast<Index>(state_->leaves.all.size()); }

Index Grower::columns() const noexcept { return state_->d; }

LeafRows Grower::leaf_rows() const { return state_->leaves.rows(); }

void Grower::update_raw(VectorView<double> raw, const double* values) const {
  require(raw.size == state_->n, "raw must have one value per row");
  state_->leaves.add_to(raw, values);
}

std::vector<double> Grower::renew_leaves(LeafRenewal kind, VectorView<const double> y, VectorView<const double> raw,
                                         VectorView<const double> weights, double alpha) const {
  const Index n = state_->n;
  require(y.size == n && raw.size == n && (weights.empty() || weights.size == n), "one value per row");
  return state_->leaves.renewed(kind, y, raw, weights, alpha);
}

void Grower::put_in_order(std::vector<double>& values) const {
  require(static_cast<Index>(values.size()) == leaves(), "values must have one value per leaf");
  state_->leaves.put_in_order(values);
}

}  // namespace mlcore::tree
