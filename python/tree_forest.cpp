// Bindings of mlcore._core.tree: prediction.
#include "tree_arrays.hpp"

namespace mlcore::python {

namespace {

using tree::BinnedMatrix;
using tree::Forest;

std::unique_ptr<Forest> make_forest(const std::vector<py::dict>& trees,
                                    const std::optional<Array<std::int32_t>>& tree_index, Index n_outputs) {
  std::vector<tree::Tree> list;
  list.reserve(trees.size());
  for (const py::dict& d : trees) list.push_back(tree_of(d));
  const auto index = vector_view<std::int32_t>(tree_index, "tree_index");
  return std::make_unique<Forest>(list, std::vector<Index>(index.data, index.data + index.size), n_outputs);
}

template <class T>
void predict_raw(const Forest& forest, const Array<T>& X, Array<double> raw, Index first, Index last, int n_threads) {
  const MatrixView<const T> x = matrix_view<T>(X, "X");
  const MatrixView<double> out = writable_matrix(raw, "raw");
  if (out.cols > 1 && out.col_stride != 1) throw std::invalid_argument("the rows of raw must be contiguous");
  GilRelease nogil;
  forest.predict_raw<T>(x, out, first, last, n_threads);
}

void predict_raw_binned(const Forest& forest, const BinnedMatrix& binned, Array<double> raw, Index first, Index last,
                        int n_threads) {
  const MatrixView<double> out = writable_matrix(raw, "raw");
  if (out.cols > 1 && out.col_stride != 1) throw std::invalid_argument("the rows of raw must be contiguous");
  GilRelease nogil;
  forest.predict_raw(binned, out, first, last, n_threads);
}

void add_tree(const py::dict& tree, const BinnedMatrix& binned, Array<double> raw, int n_threads) {
  const Forest forest({tree_of(tree)}, {}, 1);
  const VectorView<double> out = writable_vector(raw, "raw");
  GilRelease nogil;
  forest.predict_raw(binned, row_major(out.data, 1, out.size), 0, 1, n_threads);
}

template <class T>
py::array_t<std::int32_t> apply(const Forest& forest, const Array<T>& X, Index first, Index last, int n_threads) {
  const MatrixView<const T> x = matrix_view<T>(X, "X");
  const Index trees = last > first ? last - first : 0;
  Buffer<std::int32_t> leaves({x.rows, trees});
  {
    GilRelease nogil;
    forest.apply<T>(x, row_major(leaves.data(), x.rows, trees), first, last, n_threads);
  }
  return to_array(std::move(leaves), {x.rows, trees});
}

py::array_t<double> partial_dependence(const Forest& forest, const Array<double>& grid,
                                       const std::vector<Index>& features, int n_threads) {
  const MatrixView<const double> g = matrix_view<double>(grid, "grid");
  Buffer<double> result = Buffer<double>::zeros({forest.outputs(), g.rows});
  {
    GilRelease nogil;
    forest.partial_dependence(g, features, row_major(result.data(), forest.outputs(), g.rows), n_threads);
  }
  return to_array(std::move(result), {forest.outputs(), g.rows});
}

}  // namespace

void register_tree_forest(py::module_& module) {
  py::module_ m = module.attr("tree").cast<py::module_>();
  py::class_<Forest>(m, "Forest", "Trees ready for prediction.")
      .def(py::init(&make_forest), py::arg("trees"), py::arg("tree_index").noconvert(), py::arg("n_outputs"))
      .def_property_readonly("n_trees", &Forest::trees)
      .def("predict_raw", &predict_raw<float>, py::arg("X").noconvert(), py::arg("raw").noconvert(), py::arg("first"),
           py::arg("last"), py::arg("n_threads") = 0)
      .def("predict_raw", &predict_raw<double>, py::arg("X").noconvert(), py::arg("raw").noconvert(), py::arg("first"),
           py::arg("last"), py::arg("n_threads") = 0)
      .def("predict_raw_binned", &predict_raw_binned, py::arg("binned"), py::arg("raw").noconvert(), py::arg("first"),
           py::arg("last"), py::arg("n_threads") = 0)
      .def("apply", &apply<float>, py::arg("X").noconvert(), py::arg("first"), py::arg("last"),
           py::arg("n_threads") = 0)
      .def("apply", &apply<double>, py::arg("X").noconvert(), py::arg("first"), py::arg("last"),
           py::arg("n_threads") = 0)
      .def("partial_dependence", &partial_dependence, py::arg("grid").noconvert(), py::arg("features"),
           py::arg("n_threads") = 0);
  m.def("add_tree", &add_tree, py::arg("tree"), py::arg("binned"), py::arg("raw").noconvert(),
        py::arg("n_threads") = 0);
}

}  // namespace mlcore::python
