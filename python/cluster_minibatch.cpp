// Mini-batch k-means and the different rows of small data in mlcore._core.cluster.
#include <algorithm>
#include <exception>

#include "arrays.hpp"
#include "csr.hpp"
#include "mlcore/cluster/distinct_rows.hpp"
#include "mlcore/cluster/minibatch.hpp"

namespace mlcore::python {
namespace {

/// A Python callable that gets a dict after every step; what it raises is kept until the native call is over.
class StepListener {
 public:
  explicit StepListener(py::object callable) : callable_(std::move(callable)) {}
  cluster::MiniBatchObserver observer() noexcept {
    if (callable_.is_none()) return {};
    return {&StepListener::on_step, this};
  }
  void rethrow() {
    if (raised_) std::rethrow_exception(std::exchange(raised_, nullptr));
  }

 private:
  static bool on_step(void* context, const cluster::MiniBatchInfo& info) {
    auto& self = *static_cast<StepListener*>(context);
    try {
      return with_gil([&] {
        py::dict values;
        values["iteration"] = info.iteration;
        values["max_iterations"] = info.max_iterations;
        values["restart"] = info.restart;
        values["objective"] = info.objective;
        values["change"] = info.change;
        values["batch_inertia"] = info.batch_inertia;
        values["reassigned"] = info.reassigned;
        return !self.callable_(values).template cast<bool>();
      });
    } catch (...) {
      self.raised_ = std::current_exception();
      return false;
    }
  }

  py::object callable_;
  std::exception_ptr raised_;
};

template <class T>
Buffer<T> copy_of(const VectorView<const T>& source) {
  Buffer<T> copy(source.size);
  std::copy_n(source.data, source.size, copy.data());
  return copy;
}

template <class T>
cluster::MiniBatchState<T> start_from(const Array<T>& centers) {
  const MatrixView<const T> view = matrix_view<T>(centers, "centers");
  cluster::MiniBatchState<T> state;
  state.clusters = view.rows;
  state.centers = Buffer<T>({view.rows, view.cols});
  for (Index j = 0; j < view.rows; ++j)
    for (Index f = 0; f < view.cols; ++f) state.centers[j * view.cols + f] = view(j, f);
  state.weights = Buffer<double>::zeros({view.rows});
  return state;
}

template <class T, class View>
py::tuple fit(const View& x, const std::optional<Array<T>>& weights, const Array<T>& centers, Index batch_size,
              Index max_steps, double tol, Index patience, double reassignment_ratio, std::uint64_t seed, int n_threads,
              const py::object& observer) {
  const VectorView<const T> w = vector_view<T>(weights, "sample_weight");
  cluster::MiniBatchState<T> state = start_from(centers);
  StepListener listener(observer);
  const cluster::MiniBatchSpec spec{batch_size,         max_steps, tol,       patience,
                                    reassignment_ratio, seed,      n_threads, listener.observer()};
  FitReport report;
  {
    const GilRelease nogil;
    report = cluster::minibatch_fit(x, w, spec, state);
  }
  listener.rethrow();
  return py::make_tuple(to_array(std::move(state.centers), {state.clusters, x.cols}),
                        to_array(std::move(state.weights), {state.clusters}), state.unchecked, report.iterations,
                        report.objective, static_cast<int>(report.reason));
}

template <class T, class View>
py::tuple step(const View& x, const std::optional<Array<T>>& weights, const Array<T>& centers,
               const Array<double>& counts, Index unchecked, double reassignment_ratio, std::uint64_t seed,
               Index number, int n_threads) {
  const VectorView<const T> w = vector_view<T>(weights, "sample_weight");
  cluster::MiniBatchState<T> state = start_from(centers);
  state.weights = copy_of(vector_view<double>(counts, "counts"));
  state.unchecked = unchecked;
  state.step = number;
  cluster::MiniBatchStep report;
  {
    const GilRelease nogil;
    report = cluster::minibatch_step(x, w, reassignment_ratio, seed, n_threads, state);
  }
  return py::make_tuple(to_array(std::move(state.centers), {state.clusters, x.cols}),
                        to_array(std::move(state.weights), {state.clusters}), state.unchecked, report.inertia,
                        report.reassigned);
}

template <class T, class View>
py::tuple distinct(const View& x, const std::optional<Array<T>>& weights) {
  cluster::DistinctRows<T> found = cluster::distinct_rows(x, vector_view<T>(weights, "sample_weight"));
  return py::make_tuple(to_array(std::move(found.rows), {found.count}),
                        to_array(std::move(found.weights), {found.count}));
}

/// Registers the functions for one kind of X.
template <class T, class Argument, class AsView>
void define(py::module_& m, AsView as_view) {
  using Weights = std::optional<Array<T>>;
  m.def(
      "minibatch_fit",
      [=](const Argument& X, const Weights& sample_weight, const Array<T>& centers, Index batch_size, Index max_steps,
          double tol, Index patience, double reassignment_ratio, std::uint64_t seed, int n_threads,
          const py::object& observer) {
        return fit<T>(as_view(X), sample_weight, centers, batch_size, max_steps, tol, patience, reassignment_ratio,
                      seed, n_threads, observer);
      },
      py::arg("X").noconvert(), py::arg("sample_weight").noconvert().none(true), py::arg("centers").noconvert(),
      py::arg("batch_size"), py::arg("max_steps"), py::arg("tol"), py::arg("patience"), py::arg("reassignment_ratio"),
      py::arg("seed"), py::arg("n_threads"), py::arg("observer") = py::none());
  m.def(
      "distinct_rows",
      [=](const Argument& X, const Weights& sample_weight) { return distinct<T>(as_view(X), sample_weight); },
      py::arg("X").noconvert(), py::arg("sample_weight").noconvert().none(true));
  m.def(
      "minibatch_step",
      [=](const Argument& X, const Weights& sample_weight, const Array<T>& centers, const Array<double>& counts,
          Index unchecked, double reassignment_ratio, std::uint64_t seed, Index number, int n_threads) {
        return step<T>(as_view(X), sample_weight, centers, counts, unchecked, reassignment_ratio, seed, number,
                       n_threads);
      },
      py::arg("X").noconvert(), py::arg("sample_weight").noconvert().none(true), py::arg("centers").noconvert(),
      py::arg("counts").noconvert(), py::arg("unchecked"), py::arg("reassignment_ratio"), py::arg("seed"),
      py::arg("number"), py::arg("n_threads"));
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

/// `module` is mlcore._core; the submodule "cluster" must exist.
void register_cluster_minibatch(py::module_& module) {
  auto m = module.attr("cluster").cast<py::module_>();
  define_dense<float>(m);
  define_dense<double>(m);
  define_csr<float, std::int32_t>(m);
  define_csr<float, std::int64_t>(m);
  define_csr<double, std::int32_t>(m);
  define_csr<double, std::int64_t>(m);
}

}  // namespace mlcore::python
