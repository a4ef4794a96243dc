#include "tree/tree_leaves.hpp"

#include <array>
#include <numeric>
#include <span>

#include "mlcore/base/errors.hpp"
#include "tree/leaf_renewal.hpp"

namespace mlcore::tree {

namespace {

constexpr Index kSumRows = 4096;  // rows of one partial sum
constexpr double kNsPerRow = 1.5;

/// Half the derivative by m of sum w (x - m)+^2 over the low leaves plus sum w (m - x)+^2 over the high ones: it rises
/// with m, and is linear between the values.
double slope(std::span<const double> low, std::span<const Leaf> of_low, std::span<const double> high,
             std::span<const Leaf> of_high, double m) {
  double sum = 0.0;
  for (std::size_t i = 0; i < low.size(); ++i)
    sum -= std::max(low[i] - m, 0.0) * static_cast<double>(of_low[i].segment.count);
  for (std::size_t i = 0; i < high.size(); ++i)
    sum += std::max(m - high[i], 0.0) * static_cast<double>(of_high[i].segment.count);
  return sum;
}

/// The m at which the slope is 0.
double bound_between(std::span<const double> low, std::span<const Leaf> of_low, std::span<const double> high,
                     std::span<const Leaf> of_high) {
  std::vector<double> points(low.begin(), low.end());
  points.insert(points.end(), high.begin(), high.end());
  std::sort(points.begin(), points.end());
  const auto at = [&](double m) { return slope(low, of_low, high, of_high, m); };
  const auto right = std::partition_point(points.begin(), points.end(), [&](double m) { return at(m) < 0.0; });
  if (right == points.begin()) return points.front();
  const double b = *right, a = *(right - 1), up = at(b), down = at(a);
  return a - down * (b - a) / (up - down);
}

}  // namespace

/// fn(leaf, rows or null, first, count, task) over blocks of the rows of all leaves.
template <class Fn>
void TreeLeaves::for_blocks(double ns_per_row, Fn&& fn) const {
  std::vector<std::pair<std::size_t, Index>> blocks;
  double work = 0.0;
  for (std::size_t k = 0; k < all.size(); ++k) {
    work += ns_per_row * static_cast<double>(all[k].segment.count);
    for (Index first = 0; first < all[k].segment.count; first += kSumRows) blocks.emplace_back(k, first);
  }
  runtime::parallel_for(static_cast<Index>(blocks.size()), runtime::threads_for_work(threads_, work), [&](Index t) {
    const auto [k, first] = blocks[static_cast<std::size_t>(t)];
    const Segment& s = all[k].segment;
    const std::uint32_t* of = rows_.rows(s);
    fn(k, of != nullptr ? of + first : nullptr, s.begin + first, std::min(kSumRows, s.count - first), t);
  });
}

void TreeLeaves::evaluate(VectorView<const float> gradients, VectorView<const float> hessians,
                          const Objective& objective) {
  const bool constant = hessians.size == 1;
  struct Part {
    std::size_t leaf = 0;
    std::array<double, 2> sums{};
  };
  Index blocks = 0;
  for (const Leaf& leaf : all) blocks += ceil_div(leaf.segment.count, kSumRows);
  std::vector<Part> parts(static_cast<std::size_t>(blocks));
  for_blocks(kNsPerRow, [&](std::size_t leaf, const std::uint32_t* of, Index first, Index count, Index task) {
    Part& part = parts[static_cast<std::size_t>(task)];
    part.leaf = leaf;
    kernel_.gather_sums(gradients.data, constant ? nullptr : hessians.data, of, first, count, part.sums.data());
  });
  std::vector<std::array<double, 2>> sums(all.size(), {0.0, 0.0});
  for (const Part& part : parts)
    for (std::size_t s = 0; s < 2; ++s) sums[part.leaf][s] += part.sums[s];
  for (std::size_t k = 0; k < all.size(); ++k) {
    Leaf& leaf = all[k];
    leaf.cover = constant ? static_cast<double>(hessians[0]) * static_cast<double>(leaf.segment.count) : sums[k][1];
    leaf.value = leaf_value(sums[k][0], leaf.cover, objective, leaf.lower, leaf.upper);
  }
}

LeafRows TreeLeaves::rows() const {
  LeafRows result;
  result.offsets.push_back(0);
  for (const Leaf& leaf : all) {
    result.nodes.push_back(leaf.node);
    result.offsets.push_back(result.offsets.back() + leaf.segment.count);
  }
  result.rows = Buffer<std::uint32_t>(result.offsets.back());
  for (std::size_t k = 0; k < all.size(); ++k) {
    const Segment& segment = all[k].segment;
    const std::uint32_t* rows = rows_.rows(segment);
    std::uint32_t* out = result.rows.data() + result.offsets[k];
    if (rows != nullptr)
      std::copy_n(rows, segment.count, out);
    else
      std::iota(out, out + segment.count, static_cast<std::uint32_t>(segment.begin));
  }
  return result;
}

void TreeLeaves::add_to(VectorView<double> raw, const double* values) const {
  for_blocks(kNsPerRow, [&](std::size_t leaf, const std::uint32_t* rows, Index first, Index count, Index) {
    const double value = values != nullptr ? values[leaf] : rate_ * all[leaf].value;
    kernel_.add_value(raw.data, rows, first, count, value);
  });
}

std::vector<double> TreeLeaves::renewed(LeafRenewal kind, VectorView<const double> y, VectorView<const double> raw,
                                        VectorView<const double> weights, double alpha) const {
  std::vector<double> values(all.size());
  const int threads = runtime::threads_for_work(threads_, 20.0 * static_cast<double>(y.size));
  runtime::parallel_for(static_cast<Index>(all.size()), threads, [&](Index k) {
    const Segment& segment = all[static_cast<std::size_t>(k)].segment;
    const std::uint32_t* rows = rows_.rows(segment);
    std::vector<Residual> residuals(static_cast<std::size_t>(segment.count));
    for (Index i = 0; i < segment.count; ++i) {
      const Index row = rows != nullptr ? static_cast<Index>(rows[i]) : segment.begin + i;
      residuals[static_cast<std::size_t>(i)] = {y[row] - raw[row], weights.empty() ? 1.0 : weights[row]};
    }
    values[static_cast<std::size_t>(k)] = rate_ * leaf_location(kind, residuals, !weights.empty(), alpha);
  });
  put_in_order(values);
  return values;
}

void TreeLeaves::put_in_order(std::vector<double>& values) const {
  for (const MonotoneSplit& split : monotone) {
    const std::span<double> left(values.data() + split.first, split.middle - split.first);
    const std::span<double> right(values.data() + split.middle, split.last - split.middle);
    const std::span<const Leaf> of_left(all.data() + split.first, left.size());
    const std::span<const Leaf> of_right(all.data() + split.middle, right.size());
    const bool rises = split.sign > 0;
    const std::span<double> low = rises ? left : right, high = rises ? right : left;
    if (*std::max_element(low.begin(), low.end()) <= *std::min_element(high.begin(), high.end())) continue;
    const double bound = bound_between(low, rises ? of_left : of_right, high, rises ? of_right : of_left);
    for (double& x : low) x = std::min(x, bound);
    for (double& x : high) x = std::max(x, bound);
  }
}

}  // namespace mlcore::tree
