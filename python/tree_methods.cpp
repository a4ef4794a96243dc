// Bindings of mlcore._core.tree: growth on sorted columns, and bins by weighted sketches.
#include "mlcore/tree/exact_grower.hpp"
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

template <class T>
void register_dtype(py::module_& m, py::class_<SortedMatrix>& sorted) {
  sorted.def(py::init(&make_sorted<T>), py::arg("X").noconvert(), py::arg("n_categories").noconvert() = py::none(),
             py::arg("n_threads") = 0);
  m.def("sketch_bins", &sketch_bins<T>, py::arg("X").noconvert(), py::arg("weights").noconvert(),
        py::arg("rows").noconvert(), py::arg("max_bins"), py::arg("is_categorical").noconvert(), py::arg("n_threads"));
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
