// Bindings of DBSCAN, in mlcore._core.cluster: arrays to views, the GIL, results to arrays.
#include "mlcore/cluster/dbscan.hpp"

#include "arrays.hpp"
#include "csr.hpp"
#include "metrics.hpp"

namespace mlcore::python {

namespace {

cluster::DbscanSpec spec_of(const std::string& metric, double p, double eps, double min_samples, int n_threads) {
  cluster::DbscanSpec spec;
  spec.metric = metric_of(metric, p);
  spec.eps = neighbors::reduced_distance(spec.metric, eps);
  spec.min_samples = min_samples;
  spec.n_jobs = n_threads;
  return spec;
}

py::tuple as_tuple(cluster::DbscanResult&& result) {
  const auto rows = result.labels.size(), core = result.core.size();
  return py::make_tuple(to_array(std::move(result.core), {core}), to_array(std::move(result.labels), {rows}));
}

template <class T>
void define(py::module_& m) {
  m.def(
      "dbscan_fit",
      [](const Array<T>& X, const std::optional<Array<double>>& sample_weight, const std::string& metric, double p,
         double eps, double min_samples, int n_threads) {
        const MatrixView<const T> x = matrix_view<T>(X, "X");
        const VectorView<const double> w = vector_view<double>(sample_weight, "sample_weight");
        const cluster::DbscanSpec spec = spec_of(metric, p, eps, min_samples, n_threads);
        cluster::DbscanResult result;
        {
          GilRelease nogil;
          result = cluster::dbscan_fit(x, w, spec);
        }
        return as_tuple(std::move(result));
      },
      py::arg("X").noconvert(), py::arg("sample_weight").noconvert().none(true), py::arg("metric"), py::arg("p"),
      py::arg("eps"), py::arg("min_samples"), py::arg("n_threads"));
  m.def(
      "dbscan_predict",
      [](const Array<T>& components, const Array<Index>& labels, const Array<T>& X, const std::string& metric, double p,
         double eps, int n_threads) {
        const MatrixView<const T> core = matrix_view<T>(components, "components"), x = matrix_view<T>(X, "X");
        const VectorView<const Index> of_core = vector_view<Index>(labels, "labels");
        const cluster::DbscanSpec spec = spec_of(metric, p, eps, 1, n_threads);
        Buffer<Index> result;
        {
          GilRelease nogil;
          result = cluster::dbscan_predict(core, of_core, x, spec);
        }
        return to_array(std::move(result), {x.rows});
      },
      py::arg("components").noconvert(), py::arg("labels").noconvert(), py::arg("X").noconvert(), py::arg("metric"),
      py::arg("p"), py::arg("eps"), py::arg("n_threads"));
}

// `as_view` turns the argument into the core's view.
template <class Argument, class AsView>
void define_matrix(py::module_& m, AsView as_view) {
  m.def(
      "dbscan_matrix",
      [=](const Argument& distances, const std::optional<Array<double>>& sample_weight, double eps, double min_samples,
          int n_threads) {
        const auto x = as_view(distances);
        const VectorView<const double> w = vector_view<double>(sample_weight, "sample_weight");
        cluster::DbscanSpec spec;
        spec.eps = eps;
        spec.min_samples = min_samples;
        spec.n_jobs = n_threads;
        cluster::DbscanResult result;
        {
          GilRelease nogil;
          result = cluster::dbscan_matrix(x, w, spec);
        }
        return as_tuple(std::move(result));
      },
      py::arg("distances").noconvert(), py::arg("sample_weight").noconvert().none(true), py::arg("eps"),
      py::arg("min_samples"), py::arg("n_threads"));
}

template <class T>
void define_matrices(py::module_& m) {
  define_matrix<Array<T>>(m, [](const Array<T>& x) { return matrix_view<T>(x, "distances"); });
  define_matrix<CsrArgument<T, std::int32_t>>(m, [](const CsrArgument<T, std::int32_t>& x) { return x.view(); });
  define_matrix<CsrArgument<T, std::int64_t>>(m, [](const CsrArgument<T, std::int64_t>& x) { return x.view(); });
}

}  // namespace

void register_dbscan(py::module_& module) {
  py::module_ m = module.attr("cluster");
  define<float>(m);
  define<double>(m);
  define_matrices<float>(m);
  define_matrices<double>(m);
}

}  // namespace mlcore::python
