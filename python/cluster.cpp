// Bindings of mlcore._core.cluster: arrays to views, the GIL, results to arrays.
#include "arrays.hpp"
#include "csr.hpp"
#include "mlcore/cluster/kmeans.hpp"
#include "mlcore/cluster/kmeans_init.hpp"
#include "observer.hpp"

namespace mlcore::python {

namespace {

using cluster::KMeansAlgorithm;
using cluster::KMeansInit;

KMeansAlgorithm algorithm_of(const std::string& name) {
  if (name == "auto") return KMeansAlgorithm::kAuto;
  if (name == "lloyd") return KMeansAlgorithm::kLloyd;
  if (name == "elkan") return KMeansAlgorithm::kElkan;
  if (name == "hamerly") return KMeansAlgorithm::kHamerly;
  if (name == "exponion") return KMeansAlgorithm::kExponion;
  if (name == "yinyang") return KMeansAlgorithm::kYinyang;
  throw std::invalid_argument("unknown algorithm: " + name);
}

template <class T>
MatrixView<const T> centers_view(const Array<T>& centers, Index d) {
  const MatrixView<const T> view = matrix_view<T>(centers, "centers");
  if (view.cols != d) throw std::invalid_argument("centers must have as many columns as X");
  if (!view.is_row_major() || (view.rows > 1 && view.row_stride != view.cols))
    throw std::invalid_argument("centers must be C-contiguous");
  return view;
}

// `View` is MatrixView<const T> or CsrView<T, I>.
template <class T, class View>
py::tuple fit(const View& x, const std::optional<Array<T>>& weights, const py::object& init, Index clusters,
              Index restarts, const std::string& algorithm, Index max_iterations, double tolerance, std::uint64_t seed,
              int n_threads, const py::object& observer) {
  cluster::KMeansSpec<T> spec;
  spec.clusters = clusters;
  spec.restarts = restarts;
  spec.algorithm = algorithm_of(algorithm);
  spec.max_iterations = max_iterations;
  spec.tolerance = tolerance;
  spec.seed = seed;
  spec.n_jobs = n_threads;
  std::optional<Array<T>> given;
  if (py::isinstance<py::str>(init)) {
    const auto name = init.cast<std::string>();
    if (name == "k-means++")
      spec.init = KMeansInit::kPlusPlus;
    else if (name == "k-means||")
      spec.init = KMeansInit::kParallel;
    else if (name == "random")
      spec.init = KMeansInit::kRandom;
    else
      throw std::invalid_argument("unknown init: " + name);
  } else {
    if (!py::isinstance<py::array_t<T>>(init)) throw std::invalid_argument("init must be an array of X's dtype");
    given = py::reinterpret_borrow<Array<T>>(init);
    if (given->ndim() != 3 || given->shape(0) != restarts || given->shape(1) != clusters || given->shape(2) != x.cols ||
        (given->flags() & py::array::c_style) == 0)
      throw std::invalid_argument("init must be a C-contiguous array of shape (n_init, n_clusters, n_features)");
    spec.init = KMeansInit::kGiven;
    spec.initial_centers = given->data();
  }
  const VectorView<const T> w = vector_view<T>(weights, "sample_weight");
  PythonObserver listener(observer);
  spec.observer = listener.observer();
  cluster::KMeansResult<T> result;
  {
    GilRelease nogil;
    result = cluster::kmeans_fit(x, w, spec);
  }
  listener.rethrow();
  return py::make_tuple(to_array(std::move(result.labels), {x.rows}), result.report.objective,
                        to_array(std::move(result.centers), {clusters, x.cols}), result.report.iterations,
                        static_cast<int>(result.report.reason), result.restart);
}

template <class T, class View>
py::array_t<Index> plusplus(const View& x, const std::optional<Array<T>>& weights, Index clusters, Index trials,
                            std::uint64_t seed, int n_threads) {
  const VectorView<const T> w = vector_view<T>(weights, "sample_weight");
  Buffer<Index> rows;
  {
    GilRelease nogil;
    rows = cluster::kmeans_plusplus_rows(x, w, clusters, trials, seed, n_threads);
  }
  return to_array(std::move(rows), {clusters});
}

template <class T, class View>
py::array_t<T> parallel_init(const View& x, const std::optional<Array<T>>& weights, Index clusters, std::uint64_t seed,
                             int n_threads) {
  const VectorView<const T> w = vector_view<T>(weights, "sample_weight");
  Buffer<T> centers;
  {
    GilRelease nogil;
    centers = cluster::kmeans_parallel_centers(x, w, clusters, seed, n_threads);
  }
  return to_array(std::move(centers), {clusters, x.cols});
}

template <class T, class View>
py::object assign(const View& x, const Array<T>& centers, int n_threads, bool with_distance) {
  const MatrixView<const T> c = centers_view<T>(centers, x.cols);
  Buffer<std::int32_t> labels({x.rows});
  Buffer<T> distances;
  if (with_distance) distances = Buffer<T>({x.rows});
  {
    GilRelease nogil;
    cluster::kmeans_assign(x, c, n_threads, labels.data(), with_distance ? distances.data() : nullptr);
  }
  if (!with_distance) return to_array(std::move(labels), {x.rows});
  return py::make_tuple(to_array(std::move(labels), {x.rows}), to_array(std::move(distances), {x.rows}));
}

template <class T, class View>
double inertia(const View& x, const std::optional<Array<T>>& weights, const Array<T>& centers,
               const Array<std::int32_t>& labels, int n_threads) {
  const MatrixView<const T> c = centers_view<T>(centers, x.cols);
  const VectorView<const T> w = vector_view<T>(weights, "sample_weight");
  const VectorView<const std::int32_t> l = vector_view<std::int32_t>(labels, "labels");
  if (l.size != x.rows || (!w.empty() && w.size != x.rows))
    throw std::invalid_argument("labels and sample_weight must have one value per row");
  for (Index i = 0; i < l.size; ++i)
    if (l[i] < 0 || l[i] >= c.rows) throw std::invalid_argument("labels must be numbers of centers");
  GilRelease nogil;
  return cluster::kmeans_inertia(x, w, c, l.data, n_threads);
}

template <class T, class View>
py::array_t<T> transform(const View& x, const Array<T>& centers, int n_threads) {
  const MatrixView<const T> c = centers_view<T>(centers, x.cols);
  Buffer<T> out({x.rows, c.rows});
  {
    GilRelease nogil;
    cluster::kmeans_transform(x, c, n_threads, out.data());
  }
  return to_array(std::move(out), {x.rows, c.rows});
}

template <class T, class View>
py::tuple partial(const View& x, const std::optional<Array<T>>& weights, const Array<T>& centers, int n_threads) {
  const MatrixView<const T> c = centers_view<T>(centers, x.cols);
  const VectorView<const T> w = vector_view<T>(weights, "sample_weight");
  cluster::KMeansStatistics statistics;
  {
    GilRelease nogil;
    statistics = cluster::kmeans_partial(x, w, c, n_threads);
  }
  return py::make_tuple(to_array(std::move(statistics.sums), {c.rows, c.cols}),
                        to_array(std::move(statistics.weights), {c.rows}), statistics.inertia);
}

// Registers every function for one kind of X; `as_view` turns the argument into the core's view.
template <class T, class Argument, class AsView>
void define(py::module_& m, AsView as_view) {
  using Weights = std::optional<Array<T>>;
  m.def(
      "kmeans_fit",
      [=](const Argument& X, const Weights& sample_weight, const py::object& init, Index n_clusters, Index n_init,
          const std::string& algorithm, Index max_iter, double tol, std::uint64_t seed, int n_threads,
          const py::object& observer) {
        return fit<T>(as_view(X), sample_weight, init, n_clusters, n_init, algorithm, max_iter, tol, seed, n_threads,
                      observer);
      },
      py::arg("X").noconvert(), py::arg("sample_weight").noconvert().none(true), py::arg("init"), py::arg("n_clusters"),
      py::arg("n_init"), py::arg("algorithm"), py::arg("max_iter"), py::arg("tol"), py::arg("seed"),
      py::arg("n_threads"), py::arg("observer") = py::none());
  m.def(
      "kmeans_plusplus",
      [=](const Argument& X, const Weights& sample_weight, Index n_clusters, Index n_local_trials, std::uint64_t seed,
          int n_threads) {
        return plusplus<T>(as_view(X), sample_weight, n_clusters, n_local_trials, seed, n_threads);
      },
      py::arg("X").noconvert(), py::arg("sample_weight").noconvert().none(true), py::arg("n_clusters"),
      py::arg("n_local_trials"), py::arg("seed"), py::arg("n_threads"));
  m.def(
      "kmeans_parallel_init",
      [=](const Argument& X, const Weights& sample_weight, Index n_clusters, std::uint64_t seed, int n_threads) {
        return parallel_init<T>(as_view(X), sample_weight, n_clusters, seed, n_threads);
      },
      py::arg("X").noconvert(), py::arg("sample_weight").noconvert().none(true), py::arg("n_clusters"), py::arg("seed"),
      py::arg("n_threads"));
  m.def(
      "assign",
      [=](const Argument& X, const Array<T>& centers, int n_threads) {
        return assign<T>(as_view(X), centers, n_threads, false);
      },
      py::arg("X").noconvert(), py::arg("centers").noconvert(), py::arg("n_threads"));
  m.def(
      "assign_with_distance",
      [=](const Argument& X, const Array<T>& centers, int n_threads) {
        return assign<T>(as_view(X), centers, n_threads, true);
      },
      py::arg("X").noconvert(), py::arg("centers").noconvert(), py::arg("n_threads"));
  m.def(
      "inertia",
      [=](const Argument& X, const Weights& sample_weight, const Array<T>& centers, const Array<std::int32_t>& labels,
          int n_threads) { return inertia<T>(as_view(X), sample_weight, centers, labels, n_threads); },
      py::arg("X").noconvert(), py::arg("sample_weight").noconvert().none(true), py::arg("centers").noconvert(),
      py::arg("labels").noconvert(), py::arg("n_threads"));
  m.def(
      "transform",
      [=](const Argument& X, const Array<T>& centers, int n_threads) {
        return transform<T>(as_view(X), centers, n_threads);
      },
      py::arg("X").noconvert(), py::arg("centers").noconvert(), py::arg("n_threads"));
  m.def(
      "partial",
      [=](const Argument& X, const Weights& sample_weight, const Array<T>& centers, int n_threads) {
        return partial<T>(as_view(X), sample_weight, centers, n_threads);
      },
      py::arg("X").noconvert(), py::arg("sample_weight").noconvert().none(true), py::arg("centers").noconvert(),
      py::arg("n_threads"));
}

template <class T>
void define_dense(py::module_& m) {
  define<T, Array<T>>(m, [](const Array<T>& x) { return matrix_view<T>(x, "X"); });
}

template <class T, class I>
void define_csr(py::module_& m) {
  define<T, CsrArgument<T, I>>(m, [](const CsrArgument<T, I>& x) { return x.view(); });
}

py::tuple combine(const py::tuple& a, const py::tuple& b) {
  const auto sums = py::reinterpret_steal<py::object>(PyNumber_Add(py::object(a[0]).ptr(), py::object(b[0]).ptr()));
  const auto weights = py::reinterpret_steal<py::object>(PyNumber_Add(py::object(a[1]).ptr(), py::object(b[1]).ptr()));
  if (!sums || !weights) throw py::error_already_set();
  return py::make_tuple(sums, weights, a[2].cast<double>() + b[2].cast<double>());
}

template <class T>
py::array_t<T> finish(const py::tuple& statistics, const Array<T>& centers) {
  const auto sums = statistics[0].cast<Array<double>>();
  const auto weights = statistics[1].cast<Array<double>>();
  const MatrixView<const T> c = centers_view<T>(centers, centers.ndim() == 2 ? centers.shape(1) : 0);
  const MatrixView<const double> s = matrix_view<double>(sums, "sums");
  const VectorView<const double> w = vector_view<double>(weights, "weights");
  if (s.rows != c.rows || s.cols != c.cols || w.size != c.rows)
    throw std::invalid_argument("statistics and centers must have the same shape");
  Buffer<T> means({c.rows, c.cols});
  cluster::kmeans_finish(s, w, c, means.data());
  return to_array(std::move(means), {c.rows, c.cols});
}

}  // namespace

void register_cluster(py::module_& module) {
  py::module_ m = module.def_submodule("cluster", "k-means kernels.");
  define_dense<float>(m);
  define_dense<double>(m);
  define_csr<float, std::int32_t>(m);
  define_csr<float, std::int64_t>(m);
  define_csr<double, std::int32_t>(m);
  define_csr<double, std::int64_t>(m);
  m.def("combine", &combine, py::arg("a"), py::arg("b"));
  m.def("finish", &finish<float>, py::arg("statistics"), py::arg("centers").noconvert());
  m.def("finish", &finish<double>, py::arg("statistics"), py::arg("centers").noconvert());
}

}  // namespace mlcore::python
