// Bindings of spherical k-means, in mlcore._core.cluster: arrays to views, the GIL, results to arrays.
#include "arrays.hpp"
#include "csr.hpp"
#include "mlcore/cluster/spherical_kmeans.hpp"
#include "observer.hpp"

namespace mlcore::python {

namespace {

// `View` is MatrixView<const T> or CsrView<T, I>.
template <class T, class View>
py::tuple fit(const View& x, const std::optional<Array<T>>& weights, const Array<T>& init, Index max_iterations,
              double tolerance, Index restart, int n_threads, const py::object& observer) {
  cluster::SphericalSpec<T> spec;
  spec.initial_centers = matrix_view<T>(init, "init");
  spec.max_iterations = max_iterations;
  spec.tolerance = tolerance;
  spec.restart = restart;
  spec.n_jobs = n_threads;
  const VectorView<const T> w = vector_view<T>(weights, "sample_weight");
  PythonObserver listener(observer);
  spec.observer = listener.observer();
  cluster::SphericalResult<T> result;
  {
    GilRelease nogil;
    result = cluster::spherical_fit(x, w, spec);
  }
  listener.rethrow();
  return py::make_tuple(to_array(std::move(result.labels), {x.rows}), result.report.objective,
                        to_array(std::move(result.centers), {spec.initial_centers.rows, x.cols}),
                        result.report.iterations, static_cast<int>(result.report.reason));
}

template <class T, class View>
py::tuple assign(const View& x, const std::optional<Array<T>>& weights, const Array<T>& centers, int n_threads) {
  const MatrixView<const T> c = matrix_view<T>(centers, "centers");
  const VectorView<const T> w = vector_view<T>(weights, "sample_weight");
  Buffer<std::int32_t> labels({x.rows});
  double objective = 0;
  {
    GilRelease nogil;
    objective = cluster::spherical_assign(x, w, c, n_threads, labels.data());
  }
  return py::make_tuple(to_array(std::move(labels), {x.rows}), objective);
}

template <class T, class View>
py::array_t<Index> seed(const View& x, const std::optional<Array<T>>& weights, const std::optional<Array<Index>>& order,
                        Index n_clusters, bool plusplus, std::uint64_t seed, Index restart, int n_threads) {
  const VectorView<const T> w = vector_view<T>(weights, "sample_weight");
  const VectorView<const Index> o = vector_view<Index>(order, "order");
  Buffer<Index> rows;
  {
    GilRelease nogil;
    rows = cluster::spherical_seed(x, w, o, {n_clusters, plusplus, seed, restart, n_threads});
  }
  return to_array(std::move(rows), {n_clusters});
}

// Registers every function for one kind of X; `as_view` turns the argument into the core's view.
template <class T, class Argument, class AsView>
void define(py::module_& m, AsView as_view) {
  using Weights = std::optional<Array<T>>;
  m.def(
      "spherical_fit",
      [=](const Argument& X, const Weights& sample_weight, const Array<T>& init, Index max_iter, double tol,
          Index restart, int n_threads, const py::object& observer) {
        return fit<T>(as_view(X), sample_weight, init, max_iter, tol, restart, n_threads, observer);
      },
      py::arg("X").noconvert(), py::arg("sample_weight").noconvert().none(true), py::arg("init").noconvert(),
      py::arg("max_iter"), py::arg("tol"), py::arg("restart"), py::arg("n_threads"), py::arg("observer") = py::none());
  m.def(
      "spherical_assign",
      [=](const Argument& X, const Weights& sample_weight, const Array<T>& centers, int n_threads) {
        return assign<T>(as_view(X), sample_weight, centers, n_threads);
      },
      py::arg("X").noconvert(), py::arg("sample_weight").noconvert().none(true), py::arg("centers").noconvert(),
      py::arg("n_threads"));
  m.def(
      "spherical_seed",
      [=](const Argument& X, const Weights& sample_weight, const std::optional<Array<Index>>& order, Index n_clusters,
          bool plusplus, std::uint64_t seed_value, Index restart, int n_threads) {
        return seed<T>(as_view(X), sample_weight, order, n_clusters, plusplus, seed_value, restart, n_threads);
      },
      py::arg("X").noconvert(), py::arg("sample_weight").noconvert().none(true),
      py::arg("order").noconvert().none(true), py::arg("n_clusters"), py::arg("plusplus"), py::arg("seed"),
      py::arg("restart"), py::arg("n_threads"));
}

template <class T>
void define_dense(py::module_& m) {
  define<T, Array<T>>(m, [](const Array<T>& x) { return matrix_view<T>(x, "X"); });
}

template <class T, class I>
void define_csr(py::module_& m) {
  define<T, CsrArgument<T, I>>(m, [](const CsrArgument<T, I>& x) { return x.view(); });
}

}  // namespace

void register_spherical(py::module_& module) {
  py::module_ m = module.attr("cluster");
  define_dense<float>(m);
  define_dense<double>(m);
  define_csr<float, std::int32_t>(m);
  define_csr<float, std::int64_t>(m);
  define_csr<double, std::int32_t>(m);
  define_csr<double, std::int64_t>(m);
}

}  // namespace mlcore::python
