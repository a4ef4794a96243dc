// Growth of one tree.
//
// Glossary
//   segment   the rows of a node: a piece of one of two row arrays; a split writes its two halves into the other
//             array (or, small, into the same one), each in ascending order
//   slot      number of a histogram in the pool; the larger child takes over its parent's and subtracts its sibling's
//   phase     one round of the team; small ones run on the caller alone
#include "mlcore/tree/grower.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>

#include "mlcore/base/errors.hpp"
#include "mlcore/base/sizes.hpp"
#include "mlcore/runtime/interrupt.hpp"
#include "mlcore/runtime/memory.hpp"
#include "mlcore/runtime/parallel.hpp"
#include "mlcore/runtime/random.hpp"
#include "tree/categorical_split.hpp"
#include "tree/histogram_pool.hpp"
#include "tree/leaf_renewal.hpp"
#include "tree/objective.hpp"

namespace mlcore::tree {

namespace {

using runtime::Team;
using runtime::random::Purpose;
using runtime::random::Stream;

constexpr double kPhaseNs = 25e3;      // work that pays for waking the team
constexpr double kNsPerUpdate = 0.35;  // bin update
constexpr double kNsPerMove = 2.5;     // row of a partition
constexpr double kNsPerCell = 2.0;     // cell of a split search
constexpr Index kQuantiseRows = 1024;  // one stream of random numbers
constexpr Index kMoveRows = 16384;     // rows of a partition's task
constexpr Index kSumRows = 4096;       // rows of one partial sum of a leaf
constexpr Index kSearchColumns = 4;    // columns of a search's task
// Steps of the grid that the mean |g| spans: from here on rounding to the nearest step is exact enough, or values of
// leaves may come from rounded sums (relative error of a leaf of m rows: about 0.3 / (steps sqrt(m))).
constexpr double kNearestSteps = 4096.0;
constexpr double kValueSteps = 200.0;
constexpr double kInfinity = std::numeric_limits<double>::infinity();

const TreeKernels& kernels() { MLCORE_SELECT_KERNELS(tree_kernels) }

struct Segment {
  Index begin = 0;
  Index count = 0;
  int array = 0;  ///< 0, 1; -1: all rows, unwritten
};

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

struct ThreadSpace {
  Buffer<std::uint64_t> packed;
  std::unique_ptr<Histogram> sums;
  Buffer<std::int64_t> scratch{4 * 272};
  std::vector<std::uint8_t> used;  ///< a block: the sums hold something of this node
  Buffer<std::uint16_t> random{2 * kQuantiseRows};
};

}  // namespace

struct Grower::State {
  const BinnedMatrix& binned;
  const GrowerSpec spec;
  const TreeKernels& kernel = kernels();
  const Index n, d;
  const CellLayout cells;
  const int threads;
  HistogramPool pool;
  Histogram spare, other_spare;  // for nodes that get no slot
  Buffer<std::uint64_t> pairs;
  Buffer<std::uint32_t> rows[2];
  std::vector<ThreadSpace> spaces;

  // Of the tree in work.
  VectorView<const float> gradients, hessians;
  std::uint64_t seed = 0;
  Quantiser quantiser;
  Objective objective;
  bool sums_are_values = false;
  const std::uint8_t* mask = nullptr;
  std::vector<Node> nodes;
  std::vector<std::uint32_t> bitsets;
  std::vector<std::uint8_t> groups_alive;  // a node: which interaction groups may still be used
  std::vector<std::uint8_t> allowed[2];
  std::vector<Candidate> candidates[2];
  std::vector<std::uint32_t> candidate_bits[2];
  std::vector<std::vector<std::uint8_t>> level_masks;
  std::vector<int> leaves;  // in pre-order
  std::vector<std::int32_t> leaf_ids;
  std::vector<double> leaf_values;
  Team* team = nullptr;

  State(const BinnedMatrix& matrix, const GrowerSpec& given)
      : binned(matrix),
        spec(given),
        n(matrix.rows()),
        d(matrix.columns()),
        cells(matrix),
        threads(runtime::resolve_threads(given.n_jobs).threads),
        pool(cells.total(), pool_size(given, cells.total())),
        spare(cells.total()),
        other_spare(cells.total()),
        pairs(matrix.rows()) {
    runtime::prefer_huge_pages(pairs.data(), n * static_cast<Index>(sizeof(std::uint64_t)));
    require(spec.monotonic.empty() || static_cast<Index>(spec.monotonic.size()) == d,
            "monotonic_cst must have one value per column");
    require(spec.gradient_bits >= 0 && spec.gradient_bits <= 16, "gradient_bits must be in [0, 16]");
    require(spec.min_samples_leaf >= 1, "min_samples_leaf must be at least 1");
    require(spec.l1 >= 0.0 && spec.l2 >= 0.0 && spec.min_split_gain >= 0.0, "penalties must not be negative");
    for (const auto& group : spec.interaction)
      for (const Index j : group) require(j >= 0 && j < d, "interaction_cst: column out of range");
    for (auto& array : rows) {
      array = Buffer<std::uint32_t>(n);
      runtime::prefer_huge_pages(array.data(), n * static_cast<Index>(sizeof(std::uint32_t)));
    }
    for (int s = 0; s < 2; ++s) {
      allowed[s].assign(static_cast<std::size_t>(d), 1);
      candidates[s].resize(static_cast<std::size_t>(d));
      candidate_bits[s].resize(static_cast<std::size_t>(d) * 8);
    }
    objective.l1 = spec.l1;
    objective.l2 = spec.l2;
    objective.max_step = spec.max_delta_step > 0.0 ? spec.max_delta_step : kInfinity;
    objective.min_child_weight = spec.min_child_weight;
    objective.min_samples_leaf = spec.min_samples_leaf;
    const bool monotone = std::any_of(spec.monotonic.begin(), spec.monotonic.end(), [](auto m) { return m != 0; });
    objective.plain = spec.l1 == 0.0 && !(spec.max_delta_step > 0.0) && !monotone;
  }

  static Index pool_size(const GrowerSpec& spec, Index cells) {
    const Index most = std::max<Index>(1, spec.histogram_bytes / (cells * Histogram::kBytesPerCell));
    return spec.max_leaf_nodes > 0 ? std::min(most, spec.max_leaf_nodes + 1) : most;
  }

  template <class Fn>
  void phase(Index tasks, double work_ns, Fn&& fn) {
    if (tasks <= 1 || team->size() == 1 || work_ns < kPhaseNs)
      for (Index t = 0; t < tasks; ++t) fn(t);
    else
      team->for_each(tasks, fn);
  }
  ThreadSpace& space() noexcept { return spaces[static_cast<std::size_t>(team->member())]; }

  // ---- gradients ----

  void quantise(VectorView<const std::uint32_t> subset) {
    const bool all = subset.empty();
    const Index m = all ? n : subset.size;
    const bool constant = hessians.size == 1;
    // Row blocks of fixed size, added in order: the scale has the same bits for any number of threads.
    const Index blocks = ceil_div(m, kQuantiseRows);
    std::vector<GradientBounds> bounds(static_cast<std::size_t>(blocks));
    const auto gather = [&](Index first, Index count, float* g, float* h) {
      for (Index i = 0; i < count; ++i) {
        const auto row = static_cast<Index>(subset[first + i]);
        g[i] = gradients[row];
        if (!constant) h[i] = hessians[row];
      }
    };
    phase(blocks, 1.5 * static_cast<double>(m), [&](Index b) {
      const Index first = b * kQuantiseRows, count = std::min(kQuantiseRows, m - first);
      float g[kQuantiseRows], h[kQuantiseRows];
      if (!all) gather(first, count, g, h);
      bounds[static_cast<std::size_t>(b)] = kernel.bounds(
          all ? gradients.data + first : g, constant ? nullptr : (all ? hessians.data + first : h), count);
    });
    GradientBounds whole;
    for (const GradientBounds& b : bounds) {
      whole.gradient_sum += b.gradient_sum;
      whole.hessian_sum += b.hessian_sum;
      whole.gradient_max = std::max(whole.gradient_max, b.gradient_max);
      whole.hessian_max = std::max(whole.hessian_max, b.hessian_max);
    }
    require(std::isfinite(whole.gradient_sum) && std::isfinite(whole.hessian_sum),
            "gradients and hessians must be finite");
    choose_layout(whole, m, constant);
    const double mean_steps = whole.gradient_sum * quantiser.gradient_scale / static_cast<double>(m);
    const bool nearest = mean_steps >= kNearestSteps;
    sums_are_values = !nearest && mean_steps >= kValueSteps;
    phase(blocks, 3.0 * static_cast<double>(m), [&](Index b) {
      const Index first = b * kQuantiseRows, count = std::min(kQuantiseRows, m - first);
      float g[kQuantiseRows], h[kQuantiseRows];
      std::uint64_t packed[kQuantiseRows];
      std::uint16_t* random = nullptr;
      if (!nearest) {
        random = space().random.data();
        Stream stream(seed, Purpose::kNoise, b);
        for (Index i = 0; i < 2 * count; i += 4) {
          const std::uint64_t word = stream.next();
          std::memcpy(random + i, &word, sizeof word);
        }
      }
      if (!all) gather(first, count, g, h);
      kernel.quantise(all ? gradients.data + first : g, constant ? nullptr : (all ? hessians.data + first : h), random,
                      count, quantiser, all ? pairs.data() + first : packed);
      if (!all)
        for (Index i = 0; i < count; ++i) pairs[static_cast<Index>(subset[first + i])] = packed[i];
    });
  }

  // The widest row block whose grid still resolves the mean gradient into 64 steps.
  void choose_layout(const GradientBounds& whole, Index m, bool constant) {
    PairLayout& layout = quantiser.layout;
    constexpr double kRounding = 1.0 - 0x1p-20;  // of products in single precision
    for (int bits = 14; bits >= 10; --bits) {
      const Index rows_of_block = (Index{1} << bits) - 1;
      if (bits > 10 && (rows_of_block >> 1) >= m) continue;
      layout.block_rows = rows_of_block;
      layout.count_shift = 64 - bits;
      layout.gradient_bits = constant ? std::min(30, 64 - bits) : (64 - bits) / 2;
      layout.gradient_shift = constant ? 0 : 64 - bits - layout.gradient_bits;
      const double block = static_cast<double>(rows_of_block);
      const double g = std::min(whole.gradient_sum, block * whole.gradient_max);
      const double h = std::min(whole.hessian_sum, block * whole.hessian_max);
      quantiser.gradient_scale =
          g > 0.0 ? kRounding * (std::ldexp(1.0, layout.gradient_bits - 1) - 1.0 - block) / g : 0.0;
      quantiser.hessian_scale =
          constant || !(h > 0.0) ? 0.0 : kRounding * (std::ldexp(1.0, layout.gradient_shift) - 1.0 - block) / h;
      if (whole.gradient_sum * quantiser.gradient_scale >= 64.0 * static_cast<double>(m)) break;
    }
    if (spec.gradient_bits > 0) {
      const double steps = std::ldexp(1.0, spec.gradient_bits - 1);
      if (whole.gradient_max > 0.0)
        quantiser.gradient_scale = std::min(quantiser.gradient_scale, steps / whole.gradient_max);
      if (whole.hessian_max > 0.0)
        quantiser.hessian_scale = std::min(quantiser.hessian_scale, steps / whole.hessian_max);
    }
    // Tiny gradients would need a scale beyond single precision.
    quantiser.gradient_scale = static_cast<double>(static_cast<float>(std::min(quantiser.gradient_scale, 1e38)));
    quantiser.hessian_scale = static_cast<double>(static_cast<float>(std::min(quantiser.hessian_scale, 1e38)));
    objective.gradient_unit = quantiser.gradient_scale > 0.0 ? 1.0 / quantiser.gradient_scale : 0.0;
    objective.hessian_unit = constant                        ? static_cast<double>(hessians[0])
                             : quantiser.hessian_scale > 0.0 ? 1.0 / quantiser.hessian_scale
                                                             : 0.0;
  }

  // ---- histograms and split search ----

  const std::uint32_t* rows_of(const Segment& s) const noexcept {
    return s.array < 0 ? nullptr : rows[s.array].data() + s.begin;
  }

  /// Sums of a node's rows: to `target` itself when one task does a block, else to the threads' own; returns which.
  bool build(const Segment& segment, Histogram& target) {
    const auto& blocks = binned.blocks();
    const auto block_count = static_cast<Index>(blocks.size());
    const double work = static_cast<double>(segment.count) * static_cast<double>(d) * kNsPerUpdate;
    const Index most = quantiser.layout.block_rows;
    Index chunks = ceil_div(segment.count, most);
    if (team->size() > 1 && work >= kPhaseNs && block_count < team->size())
      chunks = std::max<Index>(chunks, team->size());
    const bool direct = chunks == 1;
    if (!direct)
      for (ThreadSpace& s : spaces) std::fill(s.used.begin(), s.used.end(), std::uint8_t{0});
    const std::uint32_t* segment_rows = rows_of(segment);
    phase(chunks * block_count, work, [&](Index task) {
      const auto b = static_cast<std::size_t>(task % block_count);
      const Index chunk = task / block_count;
      const Index first = segment.count * chunk / chunks, last = segment.count * (chunk + 1) / chunks;
      ThreadSpace& own = space();
      if (!direct && !own.sums) own.sums = std::make_unique<Histogram>(cells.total());
      const auto& block = blocks[b];
      kernel.accumulate({block.records, block.width, block.columns},
                        segment_rows != nullptr ? segment_rows + first : nullptr, segment.begin + first, last - first,
                        pairs.data(), own.packed.data());
      Histogram& into = direct ? target : *own.sums;
      for (Index c = 0; c < block.columns; ++c) {
        const Index j = block.first_column + c;
        kernel.spill(own.packed.data() + c * kPackedStride, binned.bins(j) + 1, quantiser.layout,
                     !direct && own.used[b] != 0, into.at(cells.first(j)));
      }
      if (!direct) own.used[b] = 1;
    });
    return direct;
  }

  /// What column j contributes to the search of up to two nodes.
  struct Search {
    int node = -1;  ///< -1: no search
    Histogram* sums = nullptr;
  };

  /// Completes the histograms of a fresh node (sums of the threads unless `direct`) and of its sibling (what its parent
  /// had minus those), and searches both for their best splits.
  void search(Search fresh, Search sibling, bool direct) {
    const auto& blocks = binned.blocks();
    const double passes = 1.0 + (sibling.sums != nullptr ? 1.0 : 0.0);
    const Index tasks = ceil_div(d, kSearchColumns);
    phase(tasks, static_cast<double>(cells.total()) * kNsPerCell * passes, [&](Index task) {
      ThreadSpace& own = space();
      for (Index j = task * kSearchColumns; j < std::min(d, (task + 1) * kSearchColumns); ++j) {
        const Index first = cells.first(j), size = binned.bins(j) + 1;
        const Sums sums = fresh.sums->at(first);
        if (!direct) {
          std::size_t b = 0;
          while (blocks[b].first_column + blocks[b].columns <= j) ++b;
          bool begun = false;
          for (ThreadSpace& s : spaces) {
            if (s.used[b] == 0) continue;
            const Sums part = s.sums->at(first);
            if (begun) {
              kernel.add(part, size, sums);
            } else {
              std::copy_n(part.gradient, size, sums.gradient);
              std::copy_n(part.hessian, size, sums.hessian);
              std::copy_n(part.count, size, sums.count);
              begun = true;
            }
          }
        }
        if (sibling.sums != nullptr) kernel.subtract(sums, size, sibling.sums->at(first));
        if (fresh.node >= 0) search_column(0, fresh.node, j, sums, own);
        if (sibling.node >= 0) search_column(1, sibling.node, j, sibling.sums->at(first), own);
      }
    });
    if (fresh.node >= 0) choose(0, fresh.node);
    if (sibling.node >= 0) choose(1, sibling.node);
  }

  void search_column(int side, int id, Index j, const Sums& sums, ThreadSpace& own) {
    const auto column = static_cast<std::size_t>(j);
    Candidate& best = candidates[side][column];
    best = Candidate{};
    if (allowed[side][column] == 0) return;
    const NodeView& view = nodes[static_cast<std::size_t>(id)].view;
    if (binned.is_categorical(j))
      scan_categories(sums, binned.bins(j), view, objective, {spec.cat_smooth, spec.min_cat_support},
                      candidate_bits[side].data() + 8 * column, &best);
    else
      kernel.scan(sums, binned.bins(j), spec.monotonic.empty() ? 0 : spec.monotonic[column], view, objective,
                  own.scratch.data(), &best);
    // Missing values that nobody has seen go where most rows go.
    if (best.gain > 0.0 && sums.count[binned.bins(j)] == 0) best.missing_left = 2 * best.left_count > view.count;
  }

  void choose(int side, int id) {
    Node& node = nodes[static_cast<std::size_t>(id)];
    for (Index j = 0; j < d; ++j) {
      const Candidate& c = candidates[side][static_cast<std::size_t>(j)];
      if (c.gain > node.split.gain + kTieMargin * (c.gain + std::abs(node.view.score))) {
        node.split = c;
        node.feature = static_cast<int>(j);
      }
    }
    if (node.feature < 0) return;
    if (binned.is_categorical(node.feature)) {
      node.bitset = static_cast<int>(bitsets.size() / 8);
      const auto* bits = candidate_bits[side].data() + 8 * static_cast<std::size_t>(node.feature);
      bitsets.insert(bitsets.end(), bits, bits + 8);
    }
  }

  // ---- which columns a node may use ----

  bool restricted() const noexcept {
    return mask != nullptr || !spec.interaction.empty() || spec.colsample_bylevel < 1.0 || spec.colsample_bynode < 1.0;
  }

  void thin(std::vector<std::uint8_t>& columns, double rate, Index item, Index part, bool up) {
    std::vector<Index> open;
    for (Index j = 0; j < d; ++j)
      if (columns[static_cast<std::size_t>(j)] != 0) open.push_back(j);
    const auto size = static_cast<Index>(open.size());
    if (size == 0) return;
    const double share = rate * static_cast<double>(size);
    const Index keep =
        std::clamp<Index>(static_cast<Index>(up ? std::ceil(share - 1e-9) : std::floor(share + 0.5)), 1, size);
    Stream stream(seed, Purpose::kSubsample, item, part);
    const Buffer<Index> kept = runtime::random::sample_without_replacement(stream, size, keep);
    std::fill(columns.begin(), columns.end(), std::uint8_t{0});
    for (const Index k : std::vector<Index>(kept.data(), kept.data() + keep))
      columns[static_cast<std::size_t>(open[static_cast<std::size_t>(k)])] = 1;
  }

  void fill_allowed(int side, int id) {
    if (!restricted()) return;
    std::vector<std::uint8_t>& columns = allowed[side];
    const Index depth = nodes[static_cast<std::size_t>(id)].depth;
    if (spec.colsample_bylevel < 1.0) {
      while (static_cast<Index>(level_masks.size()) <= depth) {
        std::vector<std::uint8_t> level(static_cast<std::size_t>(d), 1);
        if (mask != nullptr) std::copy_n(mask, d, level.begin());
        thin(level, spec.colsample_bylevel, static_cast<Index>(level_masks.size()), 1, false);
        level_masks.push_back(std::move(level));
      }
      columns = level_masks[static_cast<std::size_t>(depth)];
    } else if (mask != nullptr) {
      std::copy_n(mask, d, columns.begin());
    } else {
      std::fill(columns.begin(), columns.end(), std::uint8_t{1});
    }
    if (!spec.interaction.empty()) {
      std::vector<std::uint8_t> open(static_cast<std::size_t>(d), 0);
      const std::size_t groups = spec.interaction.size();
      for (std::size_t k = 0; k < groups; ++k)
        if (groups_alive[static_cast<std::size_t>(id) * groups + k] != 0)
          for (const Index j : spec.interaction[k]) open[static_cast<std::size_t>(j)] = 1;
      for (std::size_t j = 0; j < open.size(); ++j) columns[j] = columns[j] & open[j];
    }
    if (spec.colsample_bynode < 1.0) thin(columns, spec.colsample_bynode, id, 2, true);
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

  bool may_split(const Node& node) const noexcept {
    return node.view.count >= 2 * spec.min_samples_leaf && (spec.max_depth == 0 || node.depth < spec.max_depth);
  }

  /// Sorts the rows of a node into its two halves.
  void partition(const Segment& from, const std::uint8_t* column, const Route& route, Index left_count, Segment& left,
                 Segment& right) {
    const std::uint32_t* source = rows_of(from);
    const double work = kNsPerMove * static_cast<double>(from.count);
    const Index right_count = from.count - left_count;
    if (team->size() == 1 || work < kPhaseNs) {
      const int array = from.array < 0 ? 0 : from.array;
      std::uint32_t* home = rows[array].data() + from.begin;
      std::uint32_t* away = rows[1 - array].data() + from.begin;
      kernel.partition(column, source, from.begin, from.count, route, home, away);
      std::copy_n(away, right_count, home + left_count);
      left = {from.begin, left_count, array};
      right = {from.begin + left_count, right_count, array};
      return;
    }
    const int array = from.array < 0 ? 0 : 1 - from.array;
    std::uint32_t* target = rows[array].data() + from.begin;
    const Index size = std::clamp<Index>(ceil_div(from.count, 8 * team->size()), 2048, kMoveRows);
    const Index tasks = ceil_div(from.count, size);
    std::vector<Index> lefts(static_cast<std::size_t>(tasks) + 1, 0);
    const auto piece = [&](Index t) {
      const Index first = t * size;
      return std::pair{first, std::min(size, from.count - first)};
    };
    phase(tasks, work, [&](Index t) {
      const auto [first, count] = piece(t);
      lefts[static_cast<std::size_t>(t) + 1] =
          kernel.count_left(column, source != nullptr ? source + first : nullptr, from.begin + first, count, route);
    });
    for (std::size_t t = 1; t < lefts.size(); ++t) lefts[t] += lefts[t - 1];
    phase(tasks, work, [&](Index t) {
      const auto [first, count] = piece(t);
      const Index before = lefts[static_cast<std::size_t>(t)];
      kernel.partition(column, source != nullptr ? source + first : nullptr, from.begin + first, count, route,
                       target + before, target + left_count + (first - before));
    });
    left = {from.begin, left_count, array};
    right = {from.begin + left_count, right_count, array};
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

    Route route;
    std::uint8_t* goes_left = route.goes_left;
    const int bins = binned.bins(node.feature);
    if (node.bitset >= 0) {
      const std::uint32_t* bits = bitsets.data() + 8 * static_cast<std::size_t>(node.bitset);
      for (int b = 0; b < bins; ++b) goes_left[b] = (bits[b >> 5] >> (b & 31)) & 1;
    } else {
      for (int b = 0; b <= c.bin && b < bins; ++b) goes_left[b] = 1;
    }
    goes_left[bins] = c.missing_left ? 1 : 0;
    route.last_left = node.bitset >= 0 ? -1 : c.bin;
    route.missing = bins;
    route.missing_left = c.missing_left;
    partition(node.segment, binned.column(node.feature), route, c.left_count, left.segment, right.segment);

    left.depth = right.depth = node.depth + 1;
    left.view = right.view = node.view;
    left.view.gradient = c.left_gradient;
    left.view.hessian = c.left_hessian;
    left.view.count = c.left_count;
    right.view.gradient -= c.left_gradient;
    right.view.hessian -= c.left_hessian;
    right.view.count -= c.left_count;
    const int monotonic = spec.monotonic.empty() ? 0 : spec.monotonic[static_cast<std::size_t>(node.feature)];
    if (monotonic != 0) {
      const double middle = (value_of(left.view) + value_of(right.view)) / 2;
      (monotonic > 0 ? left : right).view.upper = middle;
      (monotonic > 0 ? right : left).view.lower = middle;
    }
    complete_view(left);
    complete_view(right);
    if (!spec.interaction.empty()) {
      const std::size_t groups = spec.interaction.size();
      groups_alive.resize(nodes.size() * groups, 0);
      for (std::size_t k = 0; k < groups; ++k) {
        const auto& group = spec.interaction[k];
        const bool has = std::find(group.begin(), group.end(), static_cast<Index>(node.feature)) != group.end();
        const std::uint8_t alive = has ? groups_alive[static_cast<std::size_t>(id) * groups + k] : 0;
        for (const int child : {left_id, right_id}) groups_alive[static_cast<std::size_t>(child) * groups + k] = alive;
      }
    }
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
    if (small_open) fill_allowed(0, small_id);
    if (small_open || inherits) {
      small.slot = pool.acquire();
      Histogram& sums = small.slot >= 0 ? pool[small.slot] : spare;
      const bool direct = build(small.segment, sums);
      if (large_open && inherits) fill_allowed(1, large_id);
      search({small_open ? small_id : -1, &sums}, inherits ? Search{large_id, &pool[large.slot]} : Search{}, direct);
    }
    if (large_open && !inherits) {
      fill_allowed(0, large_id);
      large.slot = pool.acquire();
      Histogram& sums = large.slot >= 0 ? pool[large.slot] : other_spare;
      const bool direct = build(large.segment, sums);
      search({large_id, &sums}, {}, direct);
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
    level_masks.clear();
    pool.release_all();
    Node root;
    root.segment = {0, subset.empty() ? n : subset.size, subset.empty() ? -1 : 0};
    if (!subset.empty()) std::copy_n(subset.data, subset.size, rows[0].data());
    root.view.count = root.segment.count;
    root.view.lower = -kInfinity;
    root.view.upper = kInfinity;
    nodes.push_back(root);
    groups_alive.assign(spec.interaction.size(), 1);

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
      // The root's sums come from its first column, which needs the threads' parts added up.
      search({-1, &pool[slot]}, {}, direct);
      const Sums sums = pool[slot].at(0);
      for (int b = 0; b <= binned.bins(0); ++b) {
        nodes[0].view.gradient += sums.gradient[b];
        nodes[0].view.hessian += sums.hessian[b];
      }
      complete_view(nodes[0]);
      if (may_split(nodes[0]) && spec.max_leaf_nodes != 1) {
        fill_allowed(0, 0);
        search({0, &pool[slot]}, {}, true);
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

  // ---- leaves ----

  /// fn(leaf, rows or null, first, count, task) over blocks of the rows of all leaves.
  template <class Fn>
  void for_leaf_blocks(double ns_per_row, Fn&& fn) {
    std::vector<std::pair<int, Index>> blocks;
    double work = 0.0;
    for (std::size_t k = 0; k < leaves.size(); ++k) {
      const Index count = nodes[static_cast<std::size_t>(leaves[k])].segment.count;
      work += ns_per_row * static_cast<double>(count);
      for (Index first = 0; first < count; first += kSumRows) blocks.emplace_back(static_cast<int>(k), first);
    }
    const auto visit = [&](Index t) {
      const auto [leaf, first] = blocks[static_cast<std::size_t>(t)];
      const Segment& s = nodes[static_cast<std::size_t>(leaves[static_cast<std::size_t>(leaf)])].segment;
      const std::uint32_t* of = rows_of(s);
      fn(leaf, of != nullptr ? of + first : nullptr, s.begin + first, std::min(kSumRows, s.count - first), t);
    };
    runtime::parallel_for(static_cast<Index>(blocks.size()), runtime::threads_for_work(threads, work), visit);
  }

  void value_leaves() {
    if (sums_are_values) {
      leaf_values.resize(leaves.size());
      leaf_covers.resize(leaves.size());
      for (std::size_t k = 0; k < leaves.size(); ++k) {
        const Node& node = nodes[static_cast<std::size_t>(leaves[k])];
        leaf_values[k] = spec.learning_rate * node.value;
        leaf_covers[k] = static_cast<double>(node.view.hessian) * objective.hessian_unit;
      }
      return;
    }
    std::vector<std::array<double, 2>> parts;
    std::vector<int> owner;
    Index blocks = 0;
    for (const int id : leaves) blocks += ceil_div(nodes[static_cast<std::size_t>(id)].segment.count, kSumRows);
    parts.resize(static_cast<std::size_t>(blocks));
    owner.resize(static_cast<std::size_t>(blocks));
    const bool constant = hessians.size == 1;
    for_leaf_blocks(1.5, [&](int leaf, const std::uint32_t* of, Index first, Index count, Index task) {
      kernel.gather_sums(gradients.data, constant ? nullptr : hessians.data, of, first, count,
                         parts[static_cast<std::size_t>(task)].data());
      owner[static_cast<std::size_t>(task)] = leaf;
    });
    std::vector<std::array<double, 2>> sums(leaves.size(), {0.0, 0.0});
    for (std::size_t t = 0; t < parts.size(); ++t) {
      auto& sum = sums[static_cast<std::size_t>(owner[t])];
      sum[0] += parts[t][0];
      sum[1] += parts[t][1];
    }
    leaf_values.resize(leaves.size());
    leaf_covers.resize(leaves.size());
    for (std::size_t k = 0; k < leaves.size(); ++k) {
      Node& node = nodes[static_cast<std::size_t>(leaves[k])];
      if (constant) sums[k][1] = static_cast<double>(hessians[0]) * static_cast<double>(node.segment.count);
      leaf_covers[k] = sums[k][1];
      node.value = leaf_value(sums[k][0], sums[k][1], objective, node.view.lower, node.view.upper);
      leaf_values[k] = spec.learning_rate * node.value;
    }
  }
  std::vector<double> leaf_covers;

  Tree collect() {
    Tree tree;
    leaves.clear();
    leaf_ids.clear();
    std::vector<std::pair<int, int>> open{{0, -1}};  // node, parent whose right child it is
    std::vector<int> order;
    while (!open.empty()) {
      const auto [id, parent] = open.back();
      open.pop_back();
      const Node& node = nodes[static_cast<std::size_t>(id)];
      const auto place = static_cast<std::int32_t>(order.size());
      if (parent >= 0) tree.right[static_cast<std::size_t>(parent)] = place;
      order.push_back(id);
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
        leaves.push_back(id);
        leaf_ids.push_back(place);
      } else {
        open.emplace_back(node.right, place);
        open.emplace_back(node.left, -1);
      }
    }
    value_leaves();
    std::size_t k = 0;
    for (const int id : order) {
      const Node& node = nodes[static_cast<std::size_t>(id)];
      tree.value.push_back(spec.learning_rate * node.value);
      tree.cover.push_back(node.left < 0 ? leaf_covers[k++]
                                         : static_cast<double>(node.view.hessian) * objective.hessian_unit);
    }
    return tree;
  }

  Tree grow(VectorView<const float> g, VectorView<const float> h, VectorView<const std::uint32_t> subset,
            const std::uint8_t* column_mask, std::uint64_t number) {
    require(g.size == n, "gradients must have one value per row");
    require(h.size == n || h.size == 1, "hessians must have one value per row, or one for all");
    require(h.size != 1 || (h[0] >= 0.0f && std::isfinite(h[0])), "a constant hessian must be finite and not negative");
    for (Index i = 0; i < subset.size; ++i)
      require(static_cast<Index>(subset[i]) < n && (i == 0 || subset[i - 1] < subset[i]), "rows must ascend below n");
    gradients = g;
    hessians = h;
    mask = column_mask;
    seed = number;
    const Index m = subset.empty() ? n : subset.size;
    const int wanted =
        runtime::threads_for_work(threads, static_cast<double>(m) * static_cast<double>(d) * kNsPerUpdate * 2.0);
    Tree tree;
    runtime::parallel_team(wanted, [&](Team& t) {
      team = &t;
      while (static_cast<int>(spaces.size()) < t.size()) {
        ThreadSpace fresh;
        fresh.packed = Buffer<std::uint64_t>::zeros({kBlockColumns, kPackedStride});
        fresh.used.assign(binned.blocks().size(), 0);
        spaces.push_back(std::move(fresh));
      }
      quantise(subset);
      grow_nodes(subset);
      team = nullptr;
    });
    tree = collect();
    return tree;
  }
};

Grower::Grower(const BinnedMatrix& binned, const GrowerSpec& spec) : state_(std::make_unique<State>(binned, spec)) {}
Grower::~Grower() = default;

Tree Grower::grow(VectorView<const float> gradients, VectorView<const float> hessians,
                  VectorView<const std::uint32_t> rows, const std::uint8_t* mask, std::uint64_t seed) {
  return state_->grow(gradients, hessians, rows, mask, seed);
}

Index Grower::leaves() const noexcept { return static_cast<Index>(state_->leaves.size()); }

Index Grower::columns() const noexcept { return state_->d; }

LeafRows Grower::leaf_rows() const {
  State& s = *state_;
  LeafRows result;
  result.nodes = s.leaf_ids;
  result.offsets.push_back(0);
  for (const int id : s.leaves)
    result.offsets.push_back(result.offsets.back() + s.nodes[static_cast<std::size_t>(id)].segment.count);
  result.rows = Buffer<std::uint32_t>(result.offsets.back());
  for (std::size_t k = 0; k < s.leaves.size(); ++k) {
    const Segment& segment = s.nodes[static_cast<std::size_t>(s.leaves[k])].segment;
    const std::uint32_t* rows = s.rows_of(segment);
    std::uint32_t* out = result.rows.data() + result.offsets[k];
    if (rows != nullptr)
      std::copy_n(rows, segment.count, out);
    else
      std::iota(out, out + segment.count, static_cast<std::uint32_t>(segment.begin));
  }
  return result;
}

void Grower::update_raw(VectorView<double> raw, const double* values) const {
  State& s = *state_;
  require(raw.size == s.n, "raw must have one value per row");
  if (values == nullptr) values = s.leaf_values.data();
  s.for_leaf_blocks(1.5, [&](int leaf, const std::uint32_t* rows, Index first, Index count, Index) {
    s.kernel.add_value(raw.data, rows, first, count, values[leaf]);
  });
}

std::vector<double> Grower::renew_leaves(LeafRenewal kind, VectorView<const double> y, VectorView<const double> raw,
                                         VectorView<const double> weights, double alpha) const {
  const State& s = *state_;
  require(y.size == s.n && raw.size == s.n && (weights.empty() || weights.size == s.n), "one value per row");
  std::vector<double> values(s.leaves.size());
  const int threads = runtime::threads_for_work(s.threads, 20.0 * static_cast<double>(s.n));
  runtime::parallel_for(static_cast<Index>(s.leaves.size()), threads, [&](Index k) {
    const Node& node = s.nodes[static_cast<std::size_t>(s.leaves[static_cast<std::size_t>(k)])];
    const std::uint32_t* rows = s.rows_of(node.segment);
    std::vector<Residual> residuals(static_cast<std::size_t>(node.segment.count));
    for (Index i = 0; i < node.segment.count; ++i) {
      const Index row = rows != nullptr ? static_cast<Index>(rows[i]) : node.segment.begin + i;
      residuals[static_cast<std::size_t>(i)] = {y[row] - raw[row], weights.empty() ? 1.0 : weights[row]};
    }
    const double value = leaf_location(kind, residuals, !weights.empty(), alpha);
    values[static_cast<std::size_t>(k)] = s.spec.learning_rate * std::clamp(value, node.view.lower, node.view.upper);
  });
  return values;
}

}  // namespace mlcore::tree
