#include "mlcore/tree/linear_leaves.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "mlcore/base/errors.hpp"
#include "mlcore/runtime/parallel.hpp"
#include "tree/objective.hpp"

namespace mlcore::tree {

namespace {

constexpr double kNsPerProduct = 1.5;
constexpr double kConstant = 1e-14;   // share of the second moment that the variance of a column must exceed
constexpr double kDependent = 1e-10;  // share of its variance that the others must leave unexplained

struct Line {
  double intercept = 0.0;
  std::vector<std::int32_t> columns;
  std::vector<double> weights;
};

/// Solves A w = b for a symmetric matrix (row-major, destroyed) by elimination in order; rows marked as skipped, and
/// those whose pivot vanishes, get w = 0.
std::vector<double> solve(std::vector<double>& a, std::vector<double> b, std::vector<char> skipped) {
  const std::size_t k = b.size();
  std::vector<double> diagonal(k);
  for (std::size_t i = 0; i < k; ++i) diagonal[i] = a[i * k + i];
  for (std::size_t i = 0; i < k; ++i) {
    if (skipped[i] == 0 && !(a[i * k + i] > kDependent * diagonal[i])) skipped[i] = 1;
    if (skipped[i] != 0) continue;
    for (std::size_t r = i + 1; r < k; ++r) {
      const double factor = a[r * k + i] / a[i * k + i];
      for (std::size_t c = i + 1; c < k; ++c) a[r * k + c] -= factor * a[i * k + c];
      b[r] -= factor * b[i];
    }
  }
  std::vector<double> w(k, 0.0);
  for (std::size_t i = k; i-- > 0;) {
    if (skipped[i] != 0) continue;
    double rest = b[i];
    for (std::size_t c = i + 1; c < k; ++c) rest -= a[i * k + c] * w[c];
    w[i] = rest / a[i * k + i];
  }
  return w;
}

/// Numeric columns on the path to each node.
std::vector<std::vector<std::int32_t>> paths_of(const Tree& tree) {
  std::vector<std::vector<std::int32_t>> paths(tree.feature.size());
  for (std::size_t i = 0; i < paths.size(); ++i) {
    if (tree.left[i] < 0) continue;
    std::vector<std::int32_t> path = paths[i];
    const auto at = std::lower_bound(path.begin(), path.end(), tree.feature[i]);
    if (tree.is_categorical[i] == 0 && (at == path.end() || *at != tree.feature[i])) path.insert(at, tree.feature[i]);
    paths[static_cast<std::size_t>(tree.left[i])] = path;
    paths[static_cast<std::size_t>(tree.right[i])] = std::move(path);
  }
  return paths;
}

template <class T>
Line fit_line(const MatrixView<const T>& x, VectorView<const float> g, VectorView<const float> h,
              const std::uint32_t* rows, Index count, const std::vector<std::int32_t>& columns, double ridge,
              const Objective& objective) {
  const std::size_t k = columns.size();
  Line line;
  std::vector<double> means(k, 0.0), squares(k, 0.0), value(k);
  const auto load = [&](Index row) {
    for (std::size_t c = 0; c < k; ++c) {
      value[c] = static_cast<double>(x(row, columns[c]));
      if (!std::isfinite(value[c])) return false;
    }
    return true;
  };
  const auto hessian = [&](Index row) { return static_cast<double>(h[h.size == 1 ? 0 : row]); };
  double G = 0.0, H = 0.0;
  Index used = 0;
  for (Index i = 0; i < count; ++i) {
    const Index row = rows[i];
    if (!load(row)) continue;
    const double hi = hessian(row);
    G += static_cast<double>(g[row]);
    H += hi;
    ++used;
    for (std::size_t c = 0; c < k; ++c) {
      means[c] += hi * value[c];
      squares[c] += hi * value[c] * value[c];
    }
  }
  if (used <= static_cast<Index>(k) || !(H > 0.0)) return line;
  for (double& m : means) m /= H;
  std::vector<double> a(k * k, 0.0), b(k, 0.0);
  for (Index i = 0; i < count; ++i) {
    const Index row = rows[i];
    if (!load(row)) continue;
    const double hi = hessian(row), gi = static_cast<double>(g[row]);
    for (std::size_t c = 0; c < k; ++c) value[c] -= means[c];
    for (std::size_t c = 0; c < k; ++c) {
      b[c] -= gi * value[c];
      for (std::size_t e = 0; e <= c; ++e) a[c * k + e] += hi * value[c] * value[e];
    }
  }
  std::vector<char> skipped(k, 0);
  for (std::size_t c = 0; c < k; ++c) {
    if (!(a[c * k + c] > kConstant * squares[c])) skipped[c] = 1;
    a[c * k + c] += ridge;
    for (std::size_t e = 0; e < c; ++e) a[e * k + c] = a[c * k + e];
  }
  const std::vector<double> w = solve(a, b, std::move(skipped));
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  double intercept = leaf_value(G, H, objective, -kInfinity, kInfinity);
  for (std::size_t c = 0; c < k; ++c) intercept -= w[c] * means[c];
  if (!std::isfinite(intercept) || !std::all_of(w.begin(), w.end(), [](double v) { return std::isfinite(v); }))
    return line;  // values too large for their squares
  for (std::size_t c = 0; c < k; ++c) {
    if (w[c] == 0.0) continue;
    line.columns.push_back(columns[c]);
    line.weights.push_back(w[c]);
  }
  line.intercept = intercept;
  return line;
}

}  // namespace

template <class T>
void fit_linear_leaves(const MatrixView<const T>& x, VectorView<const float> gradients,
                       VectorView<const float> hessians, const LeafRows& rows, double ridge, double l2, double l1,
                       double learning_rate, int n_threads, Tree& tree) {
  require(gradients.size == x.rows, "gradients must have one value per row");
  require(hessians.size == x.rows || hessians.size == 1, "hessians must have one value per row, or one for all");
  require(ridge >= 0.0 && l2 >= 0.0 && l1 >= 0.0, "penalties must not be negative");
  const auto nodes = static_cast<std::int32_t>(tree.nodes());
  require(tree.left.size() == tree.feature.size() && tree.right.size() == tree.feature.size() &&
              tree.is_categorical.size() == tree.feature.size(),
          "the arrays of a tree must have one value per node");
  for (std::int32_t i = 0; i < nodes; ++i) {
    const auto at = static_cast<std::size_t>(i);
    require(tree.left[at] < 0 || (tree.left[at] > i && tree.left[at] < nodes && tree.right[at] > i &&
                                  tree.right[at] < nodes && tree.feature[at] >= 0 && tree.feature[at] < x.cols),
            "children must come after their parent, and features be columns of X");
  }
  const auto paths = paths_of(tree);
  Objective objective;
  objective.l1 = l1;
  objective.l2 = l2;
  objective.max_step = std::numeric_limits<double>::infinity();
  std::vector<Line> lines(rows.nodes.size());
  double work = 0.0;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const auto k = static_cast<double>(paths[static_cast<std::size_t>(rows.nodes[i])].size());
    work += static_cast<double>(rows.offsets[i + 1] - rows.offsets[i]) * (k + 2.0) * (k + 2.0) * kNsPerProduct;
  }
  const int threads = runtime::threads_for_work(runtime::resolve_threads(n_threads).threads, work);
  runtime::parallel_for(static_cast<Index>(lines.size()), threads, [&](Index i) {
    const auto place = static_cast<std::size_t>(i);
    const auto& path = paths[static_cast<std::size_t>(rows.nodes[place])];
    if (path.empty()) return;
    lines[place] = fit_line(x, gradients, hessians, rows.rows.data() + rows.offsets[place],
                            rows.offsets[place + 1] - rows.offsets[place], path, ridge, objective);
  });
  const std::size_t size = tree.feature.size();
  std::vector<const Line*> of_node(size, nullptr);
  for (std::size_t i = 0; i < lines.size(); ++i) of_node[static_cast<std::size_t>(rows.nodes[i])] = &lines[i];
  tree.intercept.assign(size, 0.0);
  tree.linear_start.assign(1, 0);
  tree.linear_feature.clear();
  tree.linear_coefficient.clear();
  for (std::size_t i = 0; i < size; ++i) {
    if (of_node[i] != nullptr && !of_node[i]->columns.empty()) {
      tree.intercept[i] = learning_rate * of_node[i]->intercept;
      for (const double w : of_node[i]->weights) tree.linear_coefficient.push_back(learning_rate * w);
      tree.linear_feature.insert(tree.linear_feature.end(), of_node[i]->columns.begin(), of_node[i]->columns.end());
    }
    tree.linear_start.push_back(static_cast<std::int32_t>(tree.linear_feature.size()));
  }
}

template void fit_linear_leaves<float>(const MatrixView<const float>&, VectorView<const float>, VectorView<const float>,
                                       const LeafRows&, double, double, double, double, int, Tree&);
template void fit_linear_leaves<double>(const MatrixView<const double>&, VectorView<const float>,
                                        VectorView<const float>, const LeafRows&, double, double, double, double, int,
                                        Tree&);

}  // namespace mlcore::tree
