#include "tree/split_search.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "mlcore/base/sizes.hpp"
#include "tree/categorical_split.hpp"

namespace mlcore::tree {

namespace {

constexpr double kNsPerCell = 2.0;
constexpr double kNsPerColumn = 30.0;
constexpr Index kTaskColumns = 4;

}  // namespace

SplitSearch::SplitSearch(const BinnedMatrix& binned, const TreeKernels& kernel, NodeHistograms& histograms,
                         const GrowerSpec& spec)
    : binned_(binned), kernel_(kernel), histograms_(histograms), spec_(spec) {
  const auto d = static_cast<std::size_t>(binned.columns());
  for (PerSide& side : sides_) {
    side.allowed.assign(d, 1);
    side.candidates.resize(d);
    side.bits.resize(d * 8);
  }
  objective_.l1 = spec.l1;
  objective_.l2 = spec.l2;
  objective_.max_step = spec.max_delta_step > 0.0 ? spec.max_delta_step : std::numeric_limits<double>::infinity();
  objective_.min_child_weight = spec.min_child_weight;
  objective_.min_samples_leaf = spec.min_samples_leaf;
  const bool monotone = std::any_of(spec.monotonic.begin(), spec.monotonic.end(), [](auto m) { return m != 0; });
  objective_.plain = spec.l1 == 0.0 && !(spec.max_delta_step > 0.0) && !monotone;
  for (Index g = 0; g < binned.groups(); ++g) {
    const std::vector<Index>& members = binned.members(g);
    const bool all = members.size() > 1 && std::all_of(members.begin(), members.end(), [&](Index j) {
                       return binned.place(j).codes == 1 && binned.bins(j) == 2 && !binned.has_missing(j);
                     });
    two_bins_.push_back(all && objective_.plain ? 1 : 0);
  }
}

void SplitSearch::prepare(int members) {
  while (static_cast<int>(scratch_.size()) < members) scratch_.emplace_back(7 * kScratch);
}

void SplitSearch::run(const Phases& phase, const Request& fresh, const Request& sibling, bool direct) {
  const double passes = 1.0 + (sibling.sums != nullptr ? 1.0 : 0.0);
  const Index size = binned_.is_bundled() ? 1 : kTaskColumns;
  const double work =
      static_cast<double>(histograms_.total()) * kNsPerCell + static_cast<double>(binned_.columns()) * kNsPerColumn;
  phase(ceil_div(binned_.groups(), size), work * passes, [&](Index task) {
    const int member = phase.member();
    for (Index g = task * size; g < std::min(binned_.groups(), (task + 1) * size); ++g) {
      if (!direct) histograms_.collect(g, *fresh.sums);
      const Sums sums = histograms_.group(*fresh.sums, g);
      if (fresh.node != nullptr) search_group(member, sides_[kFresh], *fresh.node, g, sums);
      if (sibling.sums == nullptr) continue;
      const Sums rest = histograms_.group(*sibling.sums, g);
      kernel_.subtract(sums, binned_.cells(g), rest);
      if (sibling.node != nullptr) search_group(member, sides_[kSibling], *sibling.node, g, rest);
    }
  });
  if (fresh.node != nullptr) choose(sides_[kFresh], fresh);
  if (sibling.node != nullptr) choose(sides_[kSibling], sibling);
}

void SplitSearch::search_group(int member, PerSide& side, const NodeView& node, Index g, const Sums& sums) {
  const std::vector<Index>& columns = binned_.members(g);
  if (columns.size() == 1) {
    search_column(member, side, node, columns.front(), sums);
    return;
  }
  std::int64_t* room = scratch_[static_cast<std::size_t>(member)].data() + 4 * kScratch;
  if (two_bins_[static_cast<std::size_t>(g)] != 0) {
    search_cells(side, node, g, sums, reinterpret_cast<double*>(room));
    return;
  }
  const Sums own{room, room + kScratch, reinterpret_cast<std::int32_t*>(room + 2 * kScratch)};
  for (const Index j : columns) {
    const auto column = static_cast<std::size_t>(j);
    // A cut leaves rows in which the column is present on one of its sides alone: fewer than a leaf needs, no cut.
    if (side.allowed[column] == 0 || present_rows(j, sums) < objective_.min_samples_leaf) {
      side.candidates[column] = Candidate{};
      continue;
    }
    unbundle(j, node, sums, own);
    search_column(member, side, node, j, own);
  }
}

void SplitSearch::search_cells(PerSide& side, const NodeView& node, Index g, const Sums& sums, double* gains) const {
  kernel_.scan_cells(sums, binned_.cells(g), node, objective_, gains);
  for (const Index j : binned_.members(g)) {
    const BinnedMatrix::Place& place = binned_.place(j);
    Candidate& best = side.candidates[static_cast<std::size_t>(j)];
    best = Candidate{};
    const double gain = side.allowed[static_cast<std::size_t>(j)] != 0 ? gains[place.first] : 0.0;
    if (!(gain > kTieMargin * (gain + std::abs(node.score)))) continue;
    const std::int64_t own_g = sums.gradient[place.first], own_h = sums.hessian[place.first];
    const std::int64_t own_c = sums.count[place.first];
    best = place.absent == 0
               ? Candidate{gain, 0, false, node.gradient - own_g, node.hessian - own_h, node.count - own_c}
               : Candidate{gain, 0, false, own_g, own_h, own_c};
    best.missing_left = 2 * best.left_count > node.count;  // nobody has seen any
  }
}

std::int64_t SplitSearch::present_rows(Index j, const Sums& bundle) const noexcept {
  const BinnedMatrix::Place& place = binned_.place(j);
  std::int64_t rows = 0;
  for (int k = 0; k < place.codes; ++k) rows += bundle.count[place.first + k];
  return rows;
}

/// The sums of one column of a bundle: where it is absent are the rows of the node that no other bin of it has.
void SplitSearch::unbundle(Index j, const NodeView& node, const Sums& bundle, const Sums& own) const noexcept {
  const BinnedMatrix::Place& place = binned_.place(j);
  const int cells = binned_.bins(j) + 1;
  std::int64_t g = node.gradient, h = node.hessian, c = node.count;
  own.gradient[cells - 1] = own.hessian[cells - 1] = own.count[cells - 1] = 0;
  for (int k = 0; k < place.codes; ++k) {
    const int b = k < place.absent ? k : k + 1, from = place.first + k;
    g -= own.gradient[b] = bundle.gradient[from];
    h -= own.hessian[b] = bundle.hessian[from];
    c -= own.count[b] = bundle.count[from];
  }
  own.gradient[place.absent] = g;
  own.hessian[place.absent] = h;
  own.count[place.absent] = static_cast<std::int32_t>(c);
}

void SplitSearch::search_column(int member, PerSide& side, const NodeView& node, Index j, const Sums& sums) {
  const auto column = static_cast<std::size_t>(j);
  Candidate& best = side.candidates[column];
  best = Candidate{};
  if (side.allowed[column] == 0) return;
  if (binned_.is_categorical(j))
    scan_categories(sums, binned_.bins(j), node, objective_, {spec_.cat_smooth, spec_.min_cat_support},
                    side.bits.data() + 8 * column, &best);
  else
    kernel_.scan(sums, binned_.bins(j), monotonic(static_cast<int>(j)), node, objective_,
                 scratch_[static_cast<std::size_t>(member)].data(), &best);
  // Missing values that nobody has seen go where most rows go.
  if (best.gain > 0.0 && sums.count[binned_.bins(j)] == 0) best.missing_left = 2 * best.left_count > node.count;
}

void SplitSearch::choose(PerSide& side, const Request& request) {
  BestSplit& best = side.best;
  best = BestSplit{};
  for (Index j = 0; j < binned_.columns(); ++j) {
    const Candidate& c = side.candidates[static_cast<std::size_t>(j)];
    if (c.gain > best.candidate.gain + kTieMargin * (c.gain + std::abs(request.node->score))) {
      best.candidate = c;
      best.feature = static_cast<int>(j);
    }
  }
  if (best.feature < 0) return;
  if (best.candidate.gain + spec_.min_split_gain <= rounding_gain(*request.node, request.value)) {
    best = BestSplit{};
    return;
  }
  if (binned_.is_categorical(best.feature))
    std::copy_n(side.bits.data() + 8 * static_cast<std::size_t>(best.feature), 8, best.categories_left);
}

/// What the rounding of gradients to integers alone may gain where all rows are alike. A sum of m rows is off by e
/// with e^2 up to m u^2 / 4 on average (u: the unit of the grid; of the Hessians times the value), so that a cut into
/// halves may gain e^2 / h of it, h the mean Hessian; the best of many cuts several times as much.
double SplitSearch::rounding_gain(const NodeView& node, double value) const noexcept {
  constexpr double kManyCuts = 8.0;
  const double h = static_cast<double>(node.hessian) * objective_.hessian_unit + spec_.l2;
  const double by_value = equal_hessians_ ? 0.0 : objective_.hessian_unit * value;
  const double unit = objective_.gradient_unit * objective_.gradient_unit + by_value * by_value;
  return kManyCuts * unit * static_cast<double>(node.count) / (h + 1e-15);
}

}  // namespace mlcore::tree
