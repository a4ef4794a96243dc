// Bindings of mlcore._core.tree: growth on sorted columns, bins by weighted sketches, linear leaves.
#include "mlcore/tree/exact_grower.hpp"
#include "mlcore/tree/linear_leaves.hpp"
#include "mlcore/tree/quantile_sketch.hpp"
#include "tree_growers.hpp"

namespace mlcore::python {

namespace {

using tree::SortedMatrix;

template <class T>
std::unique_ptr<SortedMatrix> make_sorted(const Array<T>& X, const std::optional<Array<std::int32_t>>& n_categories,
                                          int n_threads) {
  const MatrixView<const T> x = matrix_view<T>(X, "X");
  const auto c = vector_view<std::int32_t>(n_categories, "n_categories");
  GilRelease nogil;
  return std::make_unique<SortedMatrix>(x, c, n_threads);
}

template <class T>
py::list sketch_bins(const Array<T>& X, const Array<float>& weights, const std::optional<Array<std::uint32_t>>& rows,
                     Index max_bins, const std::optional<Array<std::uint8_t>>& is_categorical, int n_threads) {
  const MatrixView<const T> x = matrix_view<T>(X, "X");
  const auto w = vector_view<float>(weights, "weights");
  const auto r = vector_view<std::uint32_t>(rows, "rows");
  const auto c = vector_view<std::uint8_t>(is_categorical, "is_categorical");
  if (is_categorical && c.size != x.cols) throw std::invalid_argument("is_categorical must have one value per column");
  std::vector<std::vector<double>> found;
  {
    GilRelease nogil;
    found = tree::sketch_bins<T>(x, w, r, max_bins, is_categorical ? c.data : nullptr, n_threads);
  }
  py::list result;
  for (const auto& list : found) result.append(array_of(list));
  return result;
}

// The arrays of the linear leaves of a tree; leaf_rows as Grower.leaf_rows gives them.
template <class T>
py::dict linear_leaves(const Array<T>& X, const py::dict& tree, const Array<std::int32_t>& nodes,
                       const Array<Index>& offsets, const Array<std::uint32_t>& rows, const Array<float>& gradients,
                       const Array<float>& hessians, double ridge, double l2, double l1, double learning_rate,
                       int n_threads) {
  const MatrixView<const T> x = matrix_view<T>(X, "X");
  tree::Tree fitted = tree_of(tree);
  const auto ids = vector_view<std::int32_t>(nodes, "nodes");
  const auto starts = vector_view<Index>(offsets, "offsets");
  const auto numbers = vector_view<std::uint32_t>(rows, "rows");
  const auto g = vector_view<float>(gradients, "gradients"), h = vector_view<float>(hessians, "hessians");
  tree::LeafRows own;
  own.nodes.assign(ids.data, ids.data + ids.size);
  own.offsets.assign(starts.data, starts.data + starts.size);
  bool fits = starts.size == ids.size + 1 && starts[0] == 0 && starts[ids.size] == numbers.size;
  for (Index i = 0; fits && i < ids.size; ++i)
    fits = starts[i] <= starts[i + 1] && ids[i] >= 0 && ids[i] < fitted.nodes();
  for (Index i = 0; fits && i < numbers.size; ++i) fits = static_cast<Index>(numbers[i]) < x.rows;
  for (const std::int32_t j : fitted.feature) fits = fits && static_cast<Index>(j) < x.cols;
  if (!fits) throw std::invalid_argument("the rows of the leaves do not fit the tree or X");
  own.rows = Buffer<std::uint32_t>(numbers.size);
  std::copy_n(numbers.data, numbers.size, own.rows.data());
  {
    GilRelease nogil;
    tree::fit_linear_leaves<T>(x, g, h, own, ridge, l2, l1, learning_rate, n_threads, fitted);
  }
  py::dict result;
  result["linear_start"] = array_of(fitted.linear_start);
  result["linear_feature"] = array_of(fitted.linear_feature);
  result["linear_coefficient"] = array_of(fitted.linear_coefficient);
  result["intercept"] = array_of(fitted.intercept);
  return result;
}

template <class T>
void register_dtype(py::module_& m, py::class_<SortedMatrix>& sorted) {
  sorted.def(py::init(&make_sorted<T>), py::arg("X").noconvert(), py::arg("n_categories").noconvert() = py::none(),
             py::arg("n_threads") = 0);
  m.def("sketch_bins", &sketch_bins<T>, py::arg("X").noconvert(), py::arg("weights").noconvert(),
        py::arg("rows").noconvert(), py::arg("max_bins"), py::arg("is_categorical").noconvert(), py::arg("n_threads"));
  m.def("linear_leaves", &linear_leaves<T>, py::arg("X").noconvert(), py::arg("tree"), py::arg("nodes").noconvert(),
        py::arg("offsets").noconvert(), py::arg("rows").noconvert(), py::arg("gradients").noconvert(),
        py::arg("hessians").noconvert(), py::kw_only(), py::arg("ridge"), py::arg("l2"), py::arg("l1"),
        py::arg("learning_rate"), py::arg("n_threads"));
}

}  // namespace

void register_tree_methods(py::module_& module) {
  py::module_ m = module.attr("tree").cast<py::module_>();
  py::class_<SortedMatrix> sorted(m, "SortedMatrix", "Rows of a matrix in the order of each column.");
  register_dtype<float>(m, sorted);
  register_dtype<double>(m, sorted);
  register_grower<tree::ExactGrower, SortedMatrix>(m, "ExactGrower", "Grows trees on one sorted matrix.");
}

}  // namespace mlcore::python
