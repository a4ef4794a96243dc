// Bindings of the family `neighbors`, in mlcore._core.neighbors: arrays to views, the GIL, results to arrays.
#include "arrays.hpp"
#include "metrics.hpp"
#include "mlcore/neighbors/nearest.hpp"

namespace mlcore::python {

namespace {

// (distances, rows); X None: the rows of `fitted` ask, each about the others. `farthest_alone`: one distance a row.
template <class T>
py::tuple nearest(const Array<T>& fitted, const std::optional<Array<T>>& X, Index k, const std::string& metric,
                  double p, bool want_rows, bool farthest_alone, int n_threads) {
  const MatrixView<const T> rows = matrix_view<T>(fitted, "fitted");
  MatrixView<const T> queries = rows;
  if (X) queries = matrix_view<T>(*X, "X");
  neighbors::NearestSpec spec;
  spec.k = k;
  spec.metric = metric_of(metric, p);
  spec.leave_out_own_row = !X;
  spec.want_rows = want_rows;
  spec.farthest_alone = farthest_alone;
  spec.n_jobs = n_threads;
  neighbors::Nearest result;
  {
    GilRelease nogil;
    const neighbors::KdTree tree = neighbors::build_kd_tree(rows, n_threads);
    if (X) {
      result = neighbors::nearest(tree, neighbors::build_kd_tree(queries, n_threads), spec);
    } else {
      result = neighbors::nearest(tree, tree, spec);
    }
  }
  py::object found = py::none();
  if (want_rows) found = to_array(std::move(result.rows), {queries.rows, k});
  return py::make_tuple(to_array(std::move(result.distances), {queries.rows, farthest_alone ? 1 : k}), found);
}

template <class T>
void define(py::module_& m) {
  m.def("nearest", &nearest<T>, py::arg("fitted").noconvert(), py::arg("X").noconvert().none(true), py::arg("k"),
        py::arg("metric"), py::arg("p"), py::arg("want_rows"), py::arg("farthest_alone"), py::arg("n_threads"));
}

}  // namespace

void register_neighbors(py::module_& module) {
  py::module_ m = module.def_submodule("neighbors", "Nearest neighbours.");
  define<float>(m);
  define<double>(m);
}

}  // namespace mlcore::python
