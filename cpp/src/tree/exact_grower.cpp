// Growth of one tree on sorted columns.
//
// Glossary
//   order     the rows of a node by rising value of a column, missing ones last: the piece of the column's list where
//   the
//             rows of the node are, which splits keep in order
//   rank      number of a value among the distinct values of its column
#include "mlcore/tree/exact_grower.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <tuple>

#include "mlcore/base/errors.hpp"
#include "mlcore/runtime/interrupt.hpp"
#include "tree/categorical_split.hpp"
#include "tree/column_choice.hpp"
#include "tree/objective.hpp"
#include "tree/tree_nodes.hpp"

namespace mlcore::tree {

namespace {

constexpr double kNsPerVisit = 5.0;  // of a row and column
constexpr Index kPadding = 64;       // kernels may load beyond the last row
constexpr int kGridBits = 61;
constexpr double kInfinity = std::numeric_limits<double>::infinity();

const TreeKernels& kernels() { MLCORE_SELECT_KERNELS(tree_kernels) }

struct Cut {
  double gain = 0.0;  ///< 0: none
  double threshold = 0.0;
  std::uint32_t rank = 0;  ///< of the last value on the left
  bool missing_left = false;
  std::int64_t gradient = 0, hessian = 0, count = 0;  ///< on the left
};

struct Node {
  Segment segment;
  NodeView view;
  Cut split;
  Index depth = 0;
  int feature = -1;
  int left = -1, right = -1;
  int bitset = -1;
  bool missing_left = false;
  double value = 0.0;
};

struct Pair {
  std::int64_t gradient = 0, hessian = 0;
};

/// A number t with a <= t < b, in the middle if there is one.
double between(double a, double b) noexcept {
  const double middle = a / 2 + b / 2;
  return a <= middle && middle < b ? middle : a;
}

/// A power of two that takes numbers whose magnitudes sum up to `sum` to integers whose sums stay below 2^62.
double grid_scale(double sum) noexcept {
  if (!(sum > 0.0)) return 0.0;
  int exponent = 0;
  std::frexp(sum, &exponent);
  return std::ldexp(1.0, kGridBits - exponent);
}

}  // namespace

struct ExactGrower::State {
  const SortedMatrix& matrix;
  const GrowerSpec spec;
  const TreeKernels& kernel = kernels();
  const Index n, d;
  const int threads;
  RowSegments rows;
  ColumnChoice choice;
  TreeLeaves leaves;
  Buffer<std::uint32_t> orders;  // of all columns
  Buffer<std::uint8_t> sides;    // of each row: 0 left, 1 right
  std::vector<Pair> pairs;
  std::vector<Buffer<std::uint32_t>> aside;  // a thread

  Objective objective;
  std::vector<Node> nodes;
  std::vector<std::uint32_t> bitsets;
  std::vector<std::uint8_t> allowed[2];
  std::vector<Cut> cuts[2];
  std::vector<std::uint32_t> cut_bits[2];
  Phases phase;

  State(const SortedMatrix& sorted, const GrowerSpec& given)
      : matrix(sorted),
        spec(given),
        n(sorted.rows()),
        d(sorted.columns()),
        threads(runtime::resolve_threads(given.n_jobs).threads),
        rows(sorted.rows()),
        choice(spec, sorted.columns()),
        leaves(rows, kernel, threads, given.learning_rate),
        orders(n * d),
        sides(Buffer<std::uint8_t>::zeros({n + kPadding})),
        pairs(static_cast<std::size_t>(n)) {
    require(spec.monotonic.empty() || static_cast<Index>(spec.monotonic.size()) == d,
            "monotonic_cst must have one value per column");
    require(spec.min_samples_leaf >= 1, "min_samples_leaf must be at least 1");
    require(spec.l1 >= 0.0 && spec.l2 >= 0.0 && spec.min_split_gain >= 0.0, "penalties must not be negative");
    for (int s = 0; s < 2; ++s) {
      allowed[s].assign(static_cast<std::size_t>(d), 1);
      cuts[s].resize(static_cast<std::size_t>(d));
      cut_bits[s].resize(static_cast<std::size_t>(d) * 8);
    }
    objective.l1 = spec.l1;
    objective.l2 = spec.l2;
    objective.max_step = spec.max_delta_step > 0.0 ? spec.max_delta_step : kInfinity;
    objective.min_child_weight = spec.min_child_weight;
    objective.min_samples_leaf = spec.min_samples_leaf;
    const bool monotone = std::any_of(spec.monotonic.begin(), spec.monotonic.end(), [](auto m) { return m != 0; });
    objective.plain = spec.l1 == 0.0 && !(spec.max_delta_step > 0.0) && !monotone;
  }

  int monotonic(Index j) const noexcept {
    return spec.monotonic.empty() ? 0 : spec.monotonic[static_cast<std::size_t>(j)];
  }
  std::uint32_t* order(Index j) noexcept { return orders.data() + j * n; }

  // ---- gradients ----

  void round_gradients(VectorView<const float> g, VectorView<const float> h, VectorView<const std::uint32_t> subset) {
    const bool constant = h.size == 1;
    const Index m = subset.empty() ? n : subset.size;
    const auto row_at = [&](Index k) { return subset.empty() ? k : static_cast<Index>(subset[k]); };
    double gradient_sum = 0.0, hessian_sum = 0.0;
    for (Index k = 0; k < m; ++k) {
      const Index i = row_at(k);
      gradient_sum += std::abs(static_cast<double>(g[i]));
      if (!constant) hessian_sum += std::isnan(h[i]) ? static_cast<double>(h[i]) : std::max(0.0, double{h[i]});
    }
    require(std::isfinite(gradient_sum) && std::isfinite(hessian_sum), "gradients and hessians must be finite");
    const double gradient_scale = grid_scale(gradient_sum), hessian_scale = grid_scale(hessian_sum);
    objective.gradient_unit = gradient_scale > 0.0 ? 1.0 / gradient_scale : 0.0;
    objective.hessian_unit = constant ? static_cast<double>(h[0]) : (hessian_scale > 0.0 ? 1.0 / hessian_scale : 0.0);
    for (Index k = 0; k < m; ++k) {
      const Index i = row_at(k);
      pairs[static_cast<std::size_t>(i)] = {
          std::llrint(static_cast<double>(g[i]) * gradient_scale),
          constant ? 1 : std::llrint(std::max(0.0, static_cast<double>(h[i])) * hessian_scale)};
    }
  }

  // ---- split search ----

  double gain_of(std::int64_t g, std::int64_t h, const NodeView& view, int sign, bool* valid) const noexcept {
    const double gu = objective.gradient_unit, hu = objective.hessian_unit;
    const double gl = static_cast<double>(g) * gu, hl = static_cast<double>(h) * hu;
    const double gr = static_cast<double>(view.gradient - g) * gu, hr = static_cast<double>(view.hessian - h) * hu;
    *valid = hl >= objective.min_child_weight && hr >= objective.min_child_weight;
    if (objective.plain) {
      const double l2 = objective.l2 + 1e-15;
      return 0.5 * (gl * gl / (hl + l2) + gr * gr / (hr + l2)) - view.score;
    }
    const double wl = leaf_value(gl, hl, objective, view.lower, view.upper);
    const double wr = leaf_value(gr, hr, objective, view.lower, view.upper);
    if ((sign > 0 && wl > wr) || (sign < 0 && wl < wr)) *valid = false;
    return leaf_score(gl, hl, wl, objective) + leaf_score(gr, hr, wr, objective) - view.score;
  }

  void scan(Index j, const Node& node, Cut& best) {
    const std::uint32_t* of = order(j) + node.segment.begin;
    const std::uint32_t* rank = matrix.ranks(j);
    const std::vector<double>& values = matrix.values(j);
    const NodeView& view = node.view;
    const int sign = monotonic(j);
    const std::uint32_t missing_rank = matrix.missing(j);
    Index present = view.count;
    Pair absent;
    while (present > 0 && rank[of[present - 1]] == missing_rank) {
      const Pair& p = pairs[of[--present]];
      absent.gradient += p.gradient;
      absent.hessian += p.hessian;
    }
    const Index missing = view.count - present;
    for (const bool missing_left : {false, true}) {
      if (missing_left && missing == 0) break;
      std::int64_t g = missing_left ? absent.gradient : 0, h = missing_left ? absent.hessian : 0;
      Index c = missing_left ? missing : 0;
      Cut found;
      for (Index k = 0; k < present; ++k) {
        const Pair& p = pairs[of[k]];
        g += p.gradient;
        h += p.hessian;
        ++c;
        const std::uint32_t here = rank[of[k]], next = k + 1 < present ? rank[of[k + 1]] : missing_rank;
        if (here == next || c < objective.min_samples_leaf || view.count - c < objective.min_samples_leaf) continue;
        bool valid = true;
        const double gain = gain_of(g, h, view, sign, &valid);
        if (!valid || !(gain > found.gain)) continue;
        const double threshold = next == missing_rank ? kInfinity : between(values[here], values[next]);
        found = {gain, threshold, here, missing_left, g, h, c};
      }
      if (found.gain > best.gain + kTieMargin * (found.gain + std::abs(view.score))) best = found;
    }
    // Missing values that nobody has seen go where most rows go.
    if (best.gain > 0.0 && missing == 0) best.missing_left = 2 * best.count > view.count;
  }

  void scan_codes(Index j, const Node& node, Cut& best, std::uint32_t* bits) {
    std::int64_t gradient[kMaxBins + 1] = {}, hessian[kMaxBins + 1] = {};
    std::int32_t count[kMaxBins + 1] = {};
    const std::uint32_t* own = rows.rows(node.segment);
    const std::uint32_t* rank = matrix.ranks(j);
    for (Index k = 0; k < node.segment.count; ++k) {
      const Index row = own != nullptr ? static_cast<Index>(own[k]) : node.segment.begin + k;
      const std::uint32_t b = rank[row];
      gradient[b] += pairs[static_cast<std::size_t>(row)].gradient;
      hessian[b] += pairs[static_cast<std::size_t>(row)].hessian;
      ++count[b];
    }
    Candidate found;
    const int codes = matrix.categories(j);
    scan_categories({gradient, hessian, count}, codes, node.view, objective, {spec.cat_smooth, spec.min_cat_support},
                    bits, &found);
    best = {found.gain, 0.0, 0, found.missing_left, found.left_gradient, found.left_hessian, found.left_count};
    if (best.gain > 0.0 && count[codes] == 0) best.missing_left = 2 * best.count > node.view.count;
  }

  /// Searches up to two nodes (-1: none).
  void search(int first, int second) {
    const int ids[2] = {first, second};
    double visits = 0.0;
    for (int s = 0; s < 2; ++s) {
      if (ids[s] < 0) continue;
      visits += static_cast<double>(nodes[static_cast<std::size_t>(ids[s])].view.count) * static_cast<double>(d);
      choice.fill(allowed[s], ids[s], nodes[static_cast<std::size_t>(ids[s])].depth);
    }
    phase(2 * d, visits * kNsPerVisit, [&](Index task) {
      const int s = static_cast<int>(task % 2);
      const auto j = static_cast<std::size_t>(task / 2);
      if (ids[s] < 0) return;
      Cut& cut = cuts[s][j] = Cut{};
      if (allowed[s][j] == 0) return;
      const Node& node = nodes[static_cast<std::size_t>(ids[s])];
      if (matrix.categories(task / 2) > 0)
        scan_codes(task / 2, node, cut, cut_bits[s].data() + 8 * j);
      else
        scan(task / 2, node, cut);
    });
    for (int s = 0; s < 2; ++s)
      if (ids[s] >= 0) choose(s, nodes[static_cast<std::size_t>(ids[s])]);
  }

  void choose(int s, Node& node) {
    for (Index j = 0; j < d; ++j) {
      const Cut& c = cuts[s][static_cast<std::size_t>(j)];
      if (c.gain > node.split.gain + kTieMargin * (c.gain + std::abs(node.view.score))) {
        node.split = c;
        node.feature = static_cast<int>(j);
      }
    }
    if (node.feature < 0 || matrix.categories(node.feature) == 0) return;
    node.bitset = static_cast<int>(bitsets.size() / 8);
    const auto* bits = cut_bits[s].data() + 8 * static_cast<std::size_t>(node.feature);
    bitsets.insert(bitsets.end(), bits, bits + 8);
  }

  // ---- splitting ----

  double value_of(const NodeView& view) const noexcept {
    return leaf_value(static_cast<double>(view.gradient) * objective.gradient_unit,
                      static_cast<double>(view.hessian) * objective.hessian_unit, objective, view.lower, view.upper);
  }

  void complete_view(Node& node) const noexcept {
    const double g = static_cast<double>(node.view.gradient) * objective.gradient_unit;
    const double h = static_cast<double>(node.view.hessian) * objective.hessian_unit;
    node.value = value_of(node.view);
    const double score =
        objective.plain ? 0.5 * (g * g / (h + (objective.l2 + 1e-15))) : leaf_score(g, h, node.value, objective);
    node.view.score = score + spec.min_split_gain;
  }

  bool may_split(const Node& node) const noexcept {
    return node.view.count >= 2 * spec.min_samples_leaf && (spec.max_depth == 0 || node.depth < spec.max_depth);
  }

  void mark_sides(const Node& node) {
    const std::uint32_t* own = rows.rows(node.segment);
    const std::uint32_t* rank = matrix.ranks(node.feature);
    const std::uint32_t missing = matrix.missing(node.feature);
    const std::uint32_t* bits = node.bitset >= 0 ? bitsets.data() + 8 * static_cast<std::size_t>(node.bitset) : nullptr;
    for (Index k = 0; k < node.segment.count; ++k) {
      const Index row = own != nullptr ? static_cast<Index>(own[k]) : node.segment.begin + k;
      const std::uint32_t r = rank[row];
      const bool left = r == missing      ? node.missing_left
                        : bits != nullptr ? ((bits[r >> 5] >> (r & 31)) & 1) != 0
                                          : r <= node.split.rank;
      sides[row] = left ? 0 : 1;
    }
  }

  void split(int id, bool last) {
    const int left_id = static_cast<int>(nodes.size()), right_id = left_id + 1;
    nodes.resize(nodes.size() + 2);
    Node& node = nodes[static_cast<std::size_t>(id)];
    Node& left = nodes[static_cast<std::size_t>(left_id)];
    Node& right = nodes[static_cast<std::size_t>(right_id)];
    const Cut& c = node.split;
    node.left = left_id;
    node.right = right_id;
    node.missing_left = c.missing_left;
    mark_sides(node);
    Route route;
    route.goes_left[0] = 1;
    route.simple = true;
    route.last_left = 0;
    route.missing = 255;
    std::tie(left.segment, right.segment) = rows.split(kernel, phase, node.segment, sides.data(), route, c.count);

    left.depth = right.depth = node.depth + 1;
    left.view = right.view = node.view;
    left.view.gradient = c.gradient;
    left.view.hessian = c.hessian;
    left.view.count = c.count;
    right.view.gradient -= c.gradient;
    right.view.hessian -= c.hessian;
    right.view.count -= c.count;
    if (const int sign = monotonic(node.feature); sign != 0) {
      const double middle = (value_of(left.view) + value_of(right.view)) / 2;
      (sign > 0 ? left : right).view.upper = middle;
      (sign > 0 ? right : left).view.lower = middle;
    }
    complete_view(left);
    complete_view(right);
    choice.pass_on(id, node.feature, left_id, right_id);
    const bool left_open = !last && may_split(left), right_open = !last && may_split(right);
    if (!left_open && !right_open) return;

    const Index begin = node.segment.begin, count = node.segment.count;
    phase(d, static_cast<double>(count) * static_cast<double>(d) * kNsPerVisit, [&](Index j) {
      if (matrix.categories(j) > 0) return;
      std::uint32_t* own = order(j) + begin;
      Buffer<std::uint32_t>& other = aside[static_cast<std::size_t>(phase.member())];
      if (other.size() < count) other = Buffer<std::uint32_t>(n);
      const Index lefts = kernel.partition(sides.data(), own, 0, count, route, own, other.data());
      std::copy_n(other.data(), count - lefts, own + lefts);
    });
    search(left_open ? left_id : -1, right_open ? right_id : -1);
  }

  void sort_rows(VectorView<const std::uint32_t> subset) {
    if (subset.empty()) {
      phase(d, static_cast<double>(n * d), [&](Index j) { std::copy_n(matrix.order(j), n, order(j)); });
      return;
    }
    std::fill_n(sides.data(), n, std::uint8_t{1});
    for (Index k = 0; k < subset.size; ++k) sides[static_cast<Index>(subset[k])] = 0;
    phase(d, 2.0 * static_cast<double>(n * d), [&](Index j) {
      std::uint32_t* out = order(j);
      const std::uint32_t* all = matrix.order(j);
      for (Index k = 0; k < n; ++k)
        if (sides[static_cast<Index>(all[k])] == 0) *out++ = all[k];
    });
  }

  void grow_nodes(VectorView<const std::uint32_t> subset) {
    runtime::Interrupt interrupt;
    nodes.clear();
    bitsets.clear();
    sort_rows(subset);
    Node root;
    root.segment = rows.root(subset);
    root.view.count = root.segment.count;
    root.view.lower = -kInfinity;
    root.view.upper = kInfinity;
    for (Index k = 0; k < root.segment.count; ++k) {
      const Pair& p = pairs[static_cast<std::size_t>(subset.empty() ? k : static_cast<Index>(subset[k]))];
      root.view.gradient += p.gradient;
      root.view.hessian += p.hessian;
    }
    complete_view(root);
    nodes.push_back(root);
    OpenNodes<Node> open(nodes, spec.level_wise);
    if (may_split(root) && spec.max_leaf_nodes != 1) search(0, -1);
    open.offer(0);
    Index leaf_count = 1;
    while (!open.empty() && (spec.max_leaf_nodes == 0 || leaf_count < spec.max_leaf_nodes)) {
      const int id = open.take();
      ++leaf_count;
      split(id, spec.max_leaf_nodes != 0 && leaf_count == spec.max_leaf_nodes);
      open.offer(nodes[static_cast<std::size_t>(id)].left);
      open.offer(nodes[static_cast<std::size_t>(id)].right);
      interrupt.poll();
    }
  }

  Tree grow(VectorView<const float> g, VectorView<const float> h, VectorView<const std::uint32_t> subset,
            const std::uint8_t* column_mask, std::uint64_t seed) {
    require(g.size == n, "gradients must have one value per row");
    require(h.size == n || h.size == 1, "hessians must have one value per row, or one for all");
    require(h.size != 1 || (h[0] >= 0.0f && std::isfinite(h[0])), "a constant hessian must be finite and not negative");
    for (Index i = 0; i < subset.size; ++i)
      require(static_cast<Index>(subset[i]) < n && (i == 0 || subset[i - 1] < subset[i]), "rows must ascend below n");
    choice.begin_tree(column_mask, seed);
    round_gradients(g, h, subset);
    const double visits = static_cast<double>(subset.empty() ? n : subset.size) * static_cast<double>(d);
    runtime::parallel_team(runtime::threads_for_work(threads, visits * kNsPerVisit * 2.0), [&](runtime::Team& team) {
      phase.team = &team;
      if (static_cast<int>(aside.size()) < team.size()) aside.resize(static_cast<std::size_t>(team.size()));
      grow_nodes(subset);
      phase.team = nullptr;
    });
    return assemble(
        nodes, bitsets, spec, objective.hessian_unit, leaves,
        [](const Node& node) { return std::pair<std::int32_t, double>{-1, node.split.threshold}; },
        [](const TreeLeaves&) {});
  }
};

ExactGrower::ExactGrower(const SortedMatrix& matrix, const GrowerSpec& spec)
    : state_(std::make_unique<State>(matrix, spec)) {}
ExactGrower::~ExactGrower() = default;

Tree ExactGrower::grow(VectorView<const float> gradients, VectorView<const float> hessians,
                       VectorView<const std::uint32_t> rows, const std::uint8_t* mask, std::uint64_t seed) {
  return state_->grow(gradients, hessians, rows, mask, seed);
}

Index ExactGrower::leaves() const noexcept { return static_cast<Index>(state_->leaves.all.size()); }

Index ExactGrower::columns() const noexcept { return state_->d; }

LeafRows ExactGrower::leaf_rows() const { return state_->leaves.rows(); }

void ExactGrower::update_raw(VectorView<double> raw, const double* values) const {
  require(raw.size == state_->n, "raw must have one value per row");
  state_->leaves.add_to(raw, values);
}

std::vector<double> ExactGrower::renew_leaves(LeafRenewal kind, VectorView<const double> y,
                                              VectorView<const double> raw, VectorView<const double> weights,
                                              double alpha) const {
  const Index n = state_->n;
  require(y.size == n && raw.size == n && (weights.empty() || weights.size == n), "one value per row");
  return state_->leaves.renewed(kind, y, raw, weights, alpha);
}

void ExactGrower::put_in_order(std::vector<double>& values) const {
  require(static_cast<Index>(values.size()) == leaves(), "values must have one value per leaf");
  state_->leaves.put_in_order(values);
}

}  // namespace mlcore::tree
