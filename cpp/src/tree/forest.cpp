#include "mlcore/tree/forest.hpp"

#include <algorithm>
#include <cmath>
#include <mutex>

#include "mlcore/base/errors.hpp"
#include "mlcore/base/sizes.hpp"
#include "mlcore/runtime/parallel.hpp"
#include "tree/floor_to.hpp"
#include "tree/forest.kernels.hpp"

namespace mlcore::tree {

namespace {

constexpr double kNsPerWalk = 15.0;  // one row down one tree

const ForestKernels& kernels(){MLCORE_SELECT_KERNELS(forest_kernels)}

Walk<float> walk_of(float) {
  return kernels().walk_f32;
}
Walk<double> walk_of(double) { return kernels().walk_f64; }
Walk<std::uint8_t> walk_of(std::uint8_t) { return kernels().walk_bins; }

template <class T>
struct Packed {
  std::once_flag once;
  std::vector<PackedNode<T>> nodes;
};

void check_tree(const Tree& t) {
  const auto n = static_cast<std::size_t>(t.nodes());
  require(n > 0, "a tree has at least one node");
  require(t.threshold.size() == n && t.bin.size() == n && t.missing_left.size() == n && t.left.size() == n &&
              t.right.size() == n && t.value.size() == n && t.count.size() == n && t.is_categorical.size() == n &&
              t.bitset_index.size() == n && t.bitsets.size() % 8 == 0,
          "the arrays of a tree must have one value per node");
  for (std::size_t i = 0; i < n; ++i) {
    if (t.left[i] < 0 && t.right[i] < 0) continue;
    const auto last = static_cast<std::int32_t>(n);
    const auto self = static_cast<std::int32_t>(i);
    require(t.feature[i] >= 0, "a node with children needs a feature");
    require(t.left[i] > self && t.left[i] < last && t.right[i] > self && t.right[i] < last,
            "children must come after their parent");
    if (t.is_categorical[i] != 0)
      require(t.bitset_index[i] >= 0 && static_cast<std::size_t>(t.bitset_index[i]) * 8 + 8 <= t.bitsets.size(),
              "bitset_index out of range");
  }
  if (t.linear_start.empty()) return;
  const std::size_t terms = t.linear_feature.size();
  require(t.linear_start.size() == n + 1 && t.intercept.size() == n && t.linear_coefficient.size() == terms &&
              t.linear_start.front() == 0 && static_cast<std::size_t>(t.linear_start.back()) == terms &&
              std::is_sorted(t.linear_start.begin(), t.linear_start.end()) &&
              std::all_of(t.linear_feature.begin(), t.linear_feature.end(), [](std::int32_t j) { return j >= 0; }),
          "the arrays of linear leaves do not fit together");
}

}  // namespace

struct Forest::State {
  std::vector<std::int32_t> roots;  // a tree, and the end
  std::vector<Index> outputs;
  Index output_count = 1;
  Index columns = 0;
  bool categorical = false;
  // All trees one after the other; children are numbers of this list.
  std::vector<std::int32_t> feature, left, right, bin, bitset_index;
  std::vector<double> threshold, value, count;
  std::vector<std::uint8_t> missing_left;
  std::vector<std::uint32_t> bitsets;
  // Of linear leaves: where the terms of each node begin, and the end; empty if there are none.
  std::vector<std::size_t> linear_start;
  std::vector<std::int32_t> linear_feature;
  std::vector<double> linear_coefficient, intercept;
  mutable Packed<float> f32;
  mutable Packed<double> f64;
  mutable Packed<std::uint8_t> bins;

  bool is_leaf(std::size_t i) const noexcept { return left[i] < 0; }

  template <class T>
  void pack(std::vector<PackedNode<T>>& nodes) const {
    nodes.resize(feature.size());
    for (std::size_t i = 0; i < nodes.size(); ++i) {
      PackedNode<T>& node = nodes[i];
      node.missing_left = missing_left[i];
      if (is_leaf(i)) {
        node.left = node.right = static_cast<std::int32_t>(i);
        continue;
      }
      node.feature = feature[i];
      node.left = left[i];
      node.right = right[i];
      node.bitset = bitset_index[i];
      node.missing = 255;  // categorical: codes end here
      if constexpr (std::is_same_v<T, std::uint8_t>)
        node.threshold = static_cast<std::uint8_t>(std::max(bin[i], 0));
      else
        node.threshold = floor_to<T>(threshold[i]);
    }
  }
  const std::vector<PackedNode<float>>& packed(float) const {
    std::call_once(f32.once, [&] { pack(f32.nodes); });
    return f32.nodes;
  }
  const std::vector<PackedNode<double>>& packed(double) const {
    std::call_once(f64.once, [&] { pack(f64.nodes); });
    return f64.nodes;
  }
  const std::vector<PackedNode<std::uint8_t>>& packed(std::uint8_t) const {
    std::call_once(bins.once, [&] { pack(bins.nodes); });
    return bins.nodes;
  }

  /// fn(first row, count, tree, leaves) for every block of rows and tree, trees in order.
  template <class T, class Fn>
  void for_walks(const T* x, Index rows, Index row_stride, Index column_stride, const std::vector<PackedNode<T>>& nodes,
                 const std::vector<std::uint32_t>& bits, bool has_sets, Index first, Index last, int n_threads,
                 Fn&& fn) const {
    require(first >= 0 && first <= last && last < static_cast<Index>(roots.size()), "tree numbers out of range");
    const double work = static_cast<double>(rows) * static_cast<double>(last - first) * kNsPerWalk;
    const int threads = runtime::threads_for_work(runtime::resolve_threads(n_threads).threads, work);
    const auto walk = walk_of(T{});
    runtime::parallel_for(ceil_div(rows, kWalkRows), threads, [&](Index block) {
      const Index begin = block * kWalkRows, size = std::min(kWalkRows, rows - begin);
      std::int32_t leaves[kWalkRows];
      const WalkedRows<T> walked{x + begin * row_stride, row_stride, column_stride, size};
      for (Index t = first; t < last; ++t) {
        walk(walked, nodes.data(), roots[static_cast<std::size_t>(t)], bits.data(), has_sets, leaves);
        fn(begin, size, t, leaves);
      }
    });
  }

  auto adder(const MatrixView<double>& raw) const {
    return [this, raw](Index begin, Index size, Index t, const std::int32_t* leaves) {
      double* out = raw.row(outputs[static_cast<std::size_t>(t)]) + begin;
      for (Index i = 0; i < size; ++i) out[i] += value[static_cast<std::size_t>(leaves[i])];
    };
  }

  template <class T>
  auto linear_adder(const MatrixView<const T>& x, const MatrixView<double>& raw) const {
    return [this, x, raw](Index begin, Index size, Index t, const std::int32_t* leaves) {
      double* out = raw.row(outputs[static_cast<std::size_t>(t)]) + begin;
      for (Index i = 0; i < size; ++i) {
        const auto leaf = static_cast<std::size_t>(leaves[i]);
        const std::size_t first = linear_start[leaf], last = linear_start[leaf + 1];
        double sum = first < last ? intercept[leaf] : value[leaf];
        for (std::size_t e = first; e < last; ++e) {
          const auto v = static_cast<double>(x(begin + i, linear_feature[e]));
          if (!std::isfinite(v)) {
            sum = value[leaf];
            break;
          }
          sum += linear_coefficient[e] * v;
        }
        out[i] += sum;
      }
    };
  }

  /// Appends the linear leaves of a tree, the last one that has been added; room for those before that have none.
  void add_lines(const Tree& t) {
    if (t.linear_start.empty() && linear_start.empty()) return;
    linear_start.resize(feature.size() - t.feature.size() + 1, linear_feature.size());
    intercept.resize(feature.size() - t.feature.size(), 0.0);
    if (t.linear_start.empty()) {
      linear_start.resize(feature.size() + 1, linear_feature.size());
      intercept.resize(feature.size(), 0.0);
      return;
    }
    for (std::size_t i = 1; i < t.linear_start.size(); ++i)
      linear_start.push_back(linear_feature.size() + static_cast<std::size_t>(t.linear_start[i]));
    intercept.insert(intercept.end(), t.intercept.begin(), t.intercept.end());
    linear_feature.insert(linear_feature.end(), t.linear_feature.begin(), t.linear_feature.end());
    linear_coefficient.insert(linear_coefficient.end(), t.linear_coefficient.begin(), t.linear_coefficient.end());
    for (const std::int32_t j : t.linear_feature) columns = std::max<Index>(columns, j + 1);
  }
};

Forest::Forest(const std::vector<Tree>& trees, const std::vector<Index>& outputs, Index output_count)
    : state_(std::make_unique<State>()) {
  State& s = *state_;
  require(output_count >= 1, "n_outputs must be at least 1");
  require(outputs.empty() || outputs.size() == trees.size(), "tree_index must have one value per tree");
  s.output_count = output_count;
  s.outputs = outputs.empty() ? std::vector<Index>(trees.size(), 0) : outputs;
  for (const Index k : s.outputs) require(k >= 0 && k < output_count, "tree_index out of range");
  for (const Tree& t : trees) {
    check_tree(t);
    const auto offset = static_cast<std::int32_t>(s.feature.size());
    const auto first_bitset = static_cast<std::int32_t>(s.bitsets.size() / 8);
    s.roots.push_back(offset);
    for (std::size_t i = 0; i < t.feature.size(); ++i) {
      const bool leaf = t.left[i] < 0;
      s.feature.push_back(leaf ? -1 : t.feature[i]);
      s.columns = std::max<Index>(s.columns, t.feature[i] + 1);
      s.left.push_back(leaf ? -1 : t.left[i] + offset);
      s.right.push_back(leaf ? -1 : t.right[i] + offset);
      const bool categorical = !leaf && t.is_categorical[i] != 0;
      s.bitset_index.push_back(categorical ? t.bitset_index[i] + first_bitset : -1);
      s.categorical = s.categorical || categorical;
    }
    s.bin.insert(s.bin.end(), t.bin.begin(), t.bin.end());
    s.threshold.insert(s.threshold.end(), t.threshold.begin(), t.threshold.end());
    s.missing_left.insert(s.missing_left.end(), t.missing_left.begin(), t.missing_left.end());
    s.value.insert(s.value.end(), t.value.begin(), t.value.end());
    for (const std::int64_t c : t.count) s.count.push_back(static_cast<double>(c));
    s.bitsets.insert(s.bitsets.end(), t.bitsets.begin(), t.bitsets.end());
    s.add_lines(t);
  }
  s.roots.push_back(static_cast<std::int32_t>(s.feature.size()));
}

Forest::~Forest() = default;
Forest::Forest(Forest&&) noexcept = default;

Index Forest::trees() const noexcept { return static_cast<Index>(state_->roots.size()) - 1; }
Index Forest::outputs() const noexcept { return state_->output_count; }
Index Forest::columns() const noexcept { return state_->columns; }

template <class T>
void Forest::predict_raw(const MatrixView<const T>& x, MatrixView<double> raw, Index first, Index last,
                         int n_threads) const {
  const State& s = *state_;
  require(x.cols >= s.columns, "X has fewer columns than the trees need");
  require(raw.rows == s.output_count && raw.cols == x.rows, "raw must have the shape (n_outputs, n_samples)");
  const auto walk = [&](auto&& add) {
    s.for_walks<T>(x.data, x.rows, x.row_stride, x.col_stride, s.packed(T{}), s.bitsets, s.categorical, first, last,
                   n_threads, add);
  };
  if (s.linear_start.empty())
    walk(s.adder(raw));
  else
    walk(s.linear_adder(x, raw));
}

void Forest::predict_raw(const BinnedMatrix& x, MatrixView<double> raw, Index first, Index last, int n_threads) const {
  const State& s = *state_;
  require(x.columns() >= s.columns, "X has fewer columns than the trees need");
  require(raw.rows == s.output_count && raw.cols == x.rows(), "raw must have the shape (n_outputs, n_samples)");
  require(s.linear_start.empty(), "linear leaves need values, not bins");
  std::vector<PackedNode<std::uint8_t>> nodes = s.packed(std::uint8_t{});
  std::vector<std::uint32_t> bits = s.bitsets;
  bool categorical = s.categorical;
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    PackedNode<std::uint8_t>& node = nodes[i];
    const Index j = node.feature;
    const BinnedMatrix::Place& place = x.place(j);
    node.missing = static_cast<std::uint8_t>(x.bins(j));
    node.feature = static_cast<std::int32_t>(place.group);
    if (place.absent < 0 || s.is_leaf(i)) continue;
    // A set of codes: those of the column's bins on the left, and, with a bin of absent values there, all others.
    const auto goes_left = [&](int b) { return b == x.bins(j) ? node.missing_left != 0 : b <= node.threshold; };
    const bool rest = goes_left(place.absent);
    const std::size_t begin = bits.size();
    bits.resize(begin + 8, rest ? ~0u : 0u);
    for (int k = 0; k < place.codes; ++k)
      if (goes_left(k < place.absent ? k : k + 1) != rest) {
        const int c = place.first + k;
        bits[begin + static_cast<std::size_t>(c >> 5)] ^= 1u << (c & 31);
      }
    node.bitset = static_cast<std::int32_t>(begin / 8);
    node.missing = 0;
    node.missing_left = rest ? 1 : 0;
    categorical = true;
  }
  const Index stride = x.groups() > 1 ? x.group(1) - x.group(0) : 0;
  s.for_walks<std::uint8_t>(x.group(0), x.rows(), 1, stride, nodes, bits, categorical, first, last, n_threads,
                            s.adder(raw));
}

template <class T>
void Forest::apply(const MatrixView<const T>& x, MatrixView<std::int32_t> leaves, Index first, Index last,
                   int n_threads) const {
  const State& s = *state_;
  require(x.cols >= s.columns, "X has fewer columns than the trees need");
  require(leaves.rows == x.rows && leaves.cols == last - first, "leaves must have the shape (n_samples, n_trees)");
  s.for_walks<T>(x.data, x.rows, x.row_stride, x.col_stride, s.packed(T{}), s.bitsets, s.categorical, first, last,
                 n_threads, [&](Index begin, Index size, Index t, const std::int32_t* found) {
                   const std::int32_t root = s.roots[static_cast<std::size_t>(t)];
                   for (Index i = 0; i < size; ++i) leaves(begin + i, t - first) = found[i] - root;
                 });
}

void Forest::partial_dependence(MatrixView<const double> grid, const std::vector<Index>& columns,
                                MatrixView<double> result, int n_threads) const {
  const State& s = *state_;
  require(static_cast<Index>(columns.size()) == grid.cols, "grid must have one column per feature");
  require(result.rows == s.output_count && result.cols == grid.rows, "result must have the shape (n_outputs, n_grid)");
  const std::vector<PackedNode<double>>& nodes = s.packed(double{});
  std::vector<Index> place(static_cast<std::size_t>(s.columns), -1);
  for (std::size_t k = 0; k < columns.size(); ++k)
    if (columns[k] >= 0 && columns[k] < s.columns) place[static_cast<std::size_t>(columns[k])] = static_cast<Index>(k);
  const double work = static_cast<double>(grid.rows) * static_cast<double>(nodes.size()) * 5.0;
  const int threads = runtime::threads_for_work(runtime::resolve_threads(n_threads).threads, work);
  runtime::parallel_for(grid.rows, threads, [&](Index row) {
    std::vector<std::pair<std::int32_t, double>> open;
    for (Index t = 0; t < trees(); ++t) {
      double sum = 0.0;
      open.assign(1, {s.roots[static_cast<std::size_t>(t)], 1.0});
      while (!open.empty()) {
        const auto [id, weight] = open.back();
        open.pop_back();
        const auto i = static_cast<std::size_t>(id);
        if (s.is_leaf(i)) {
          sum += weight * s.value[i];
          continue;
        }
        const Index k = place[static_cast<std::size_t>(s.feature[i])];
        if (k >= 0) {
          const double v = grid(row, k);
          bool left = v <= s.threshold[i];
          bool missing = v != v;
          if (s.bitset_index[i] >= 0) {
            missing = !(v >= 0.0 && v < 255.0);
            const int code = missing ? 0 : static_cast<int>(v);
            left = ((s.bitsets[8 * static_cast<std::size_t>(s.bitset_index[i]) + static_cast<std::size_t>(code >> 5)] >>
                     (code & 31)) &
                    1) != 0;
          }
          if (missing) left = s.missing_left[i] != 0;
          open.emplace_back(left ? s.left[i] : s.right[i], weight);
        } else {
          const auto left = static_cast<std::size_t>(s.left[i]), right = static_cast<std::size_t>(s.right[i]);
          const double share = s.count[left] / (s.count[left] + s.count[right]);
          open.emplace_back(s.right[i], weight * (1.0 - share));
          open.emplace_back(s.left[i], weight * share);
        }
      }
      result(s.outputs[static_cast<std::size_t>(t)], row) += sum;
    }
  });
}

template void Forest::predict_raw<float>(const MatrixView<const float>&, MatrixView<double>, Index, Index, int) const;
template void Forest::predict_raw<double>(const MatrixView<const double>&, MatrixView<double>, Index, Index, int) const;
template void Forest::apply<float>(const MatrixView<const float>&, MatrixView<std::int32_t>, Index, Index, int) const;
template void Forest::apply<double>(const MatrixView<const double>&, MatrixView<std::int32_t>, Index, Index, int) const;

}  // namespace mlcore::tree
