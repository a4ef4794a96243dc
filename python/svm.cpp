// Bindings of the support vector machines, mlcore._core.svm: arrays to views, the GIL, results to arrays.
#include <atomic>

#include "arrays.hpp"
#include "csr.hpp"
#include "mlcore/svm/decision.hpp"
#include "mlcore/svm/kernel_matrix.hpp"
#include "mlcore/svm/regression.hpp"
#include "mlcore/svm/svc.hpp"

namespace mlcore::python {

namespace {

svm::KernelFunction kernel_function(int kind, double gamma, double coef0, int degree) {
  if (kind < 0 || kind > 4) throw std::invalid_argument("unknown kernel");
  return {static_cast<svm::KernelKind>(kind), gamma, coef0, degree};
}

/// (kind, gamma, coef0, degree)
using KernelTuple = std::tuple<int, double, double, int>;

svm::KernelFunction kernel_function(const KernelTuple& k) {
  return kernel_function(std::get<0>(k), std::get<1>(k), std::get<2>(k), std::get<3>(k));
}

/// Ends the fits that were given it, from another thread.
struct StopFlag {
  std::atomic<bool> value{false};
};

/// (support, coefficients) of a solution to start from
using StartTuple = std::optional<std::tuple<Array<Index>, Array<double>>>;

void set_start(svm::MachineSpec& spec, const StartTuple& start) {
  if (!start) return;
  spec.start_support = vector_view<Index>(std::get<0>(*start), "start");
  spec.start_coef = matrix_view<double>(std::get<1>(*start), "start");
}

template <class T, class View>
py::tuple svc_fit(const View& x, const Array<std::int32_t>& labels, Index classes, const Array<double>& bounds,
                  const std::optional<double>& nu, const KernelTuple& kernel, double tolerance, double cache_bytes,
                  bool shrinking, Index max_iterations, double max_seconds, const StartTuple& start, int n_threads,
                  StopFlag* stop) {
  svm::SvcSpec spec;
  spec.stop = stop == nullptr ? nullptr : &stop->value;
  spec.kernel = kernel_function(kernel);
  spec.tolerance = tolerance;
  spec.cache_bytes = cache_bytes;
  spec.shrinking = shrinking;
  spec.max_iterations = max_iterations;
  spec.max_seconds = max_seconds;
  set_start(spec, start);
  spec.n_jobs = n_threads;
  spec.classes = classes;
  spec.labels = vector_view<std::int32_t>(labels, "labels");
  spec.bounds = vector_view<double>(bounds, "bounds");
  spec.nu_svc = nu.has_value();
  spec.nu = nu.value_or(0.5);
  svm::SvcResult result;
  {
    GilRelease nogil;
    result = svm::svc_fit(x, spec);
  }
  const Index support = result.support.size(), pairs = result.rho.size();
  return py::make_tuple(
      to_array(std::move(result.support), {support}), to_array(std::move(result.per_class), {classes}),
      to_array(std::move(result.dual_coef), {classes - 1, support}), to_array(std::move(result.rho), {pairs}),
      to_array(std::move(result.iterations), {pairs}), to_array(std::move(result.kkt_violation), {pairs}),
      to_array(std::move(result.dual_gap), {pairs}), to_array(std::move(result.dual_objective), {pairs}), result.status,
      to_array(std::move(result.at_bound), {pairs}), result.single_precision);
}

template <class T, class View>
py::tuple single_fit(const View& x, int problem, const Array<double>& targets, const Array<double>& bounds,
                     double epsilon, double nu, const KernelTuple& kernel, double tolerance, double cache_bytes,
                     bool shrinking, Index max_iterations, double max_seconds, const StartTuple& start, int n_threads) {
  if (problem < 0 || problem > 2) throw std::invalid_argument("unknown problem");
  svm::SingleSpec spec;
  spec.kernel = kernel_function(kernel);
  spec.tolerance = tolerance;
  spec.cache_bytes = cache_bytes;
  spec.shrinking = shrinking;
  spec.max_iterations = max_iterations;
  spec.max_seconds = max_seconds;
  set_start(spec, start);
  spec.n_jobs = n_threads;
  spec.problem = static_cast<svm::SingleProblem>(problem);
  spec.targets = vector_view<double>(targets, "targets");
  spec.bounds = vector_view<double>(bounds, "bounds");
  spec.epsilon = epsilon;
  spec.nu = nu;
  svm::SingleResult result;
  {
    GilRelease nogil;
    result = svm::single_fit(x, spec);
  }
  const Index support = result.support.size();
  return py::make_tuple(to_array(std::move(result.support), {support}),
                        to_array(std::move(result.dual_coef), {1, support}), result.rho, result.epsilon,
                        result.iterations, result.kkt_violation, result.dual_gap, result.dual_objective, result.status,
                        result.at_bound, result.single_precision);
}

template <class View, class SupportView>
py::object decide(const View& x, const SupportView& vectors, const Array<double>& coef,
                  const Array<std::int32_t>& per_class, const Array<double>& rho, const Array<Index>& support,
                  const KernelTuple& kernel, bool labels, int n_threads) {
  svm::DecisionSpec spec;
  spec.kernel = kernel_function(kernel);
  spec.coef = matrix_view<double>(coef, "coef");
  spec.per_class = vector_view<std::int32_t>(per_class, "per_class");
  spec.rho = vector_view<double>(rho, "rho");
  spec.support = vector_view<Index>(support, "support");
  spec.n_jobs = n_threads;
  if (labels) {
    Buffer<std::int32_t> out(x.rows);
    {
      GilRelease nogil;
      svm::predict_classes(x, vectors, spec, out.data());
    }
    return to_array(std::move(out), {x.rows});
  }
  Buffer<double> out({x.rows, spec.rho.size});
  {
    GilRelease nogil;
    svm::decision_values(x, vectors, spec, out.data());
  }
  return to_array(std::move(out), {x.rows, spec.rho.size});
}

template <class T, class View>
py::object kernel_matrix(const View& x, const View* z, const KernelTuple& kernel, int n_threads) {
  const svm::KernelFunction function = kernel_function(kernel);
  const Index columns = z == nullptr ? x.rows : z->rows;
  Buffer<T> out({x.rows, columns});
  {
    GilRelease nogil;
    if (z == nullptr) {
      svm::kernel_matrix<T>(x, function, n_threads, out.data());
    } else {
      svm::kernel_matrix<T>(x, *z, function, n_threads, out.data());
    }
  }
  return to_array(std::move(out), {x.rows, columns});
}

// Registers every function for one kind of X and of support vectors; `view` and `support_view` make the core's views.
template <class T, class Argument, class SupportArgument, class AsView, class AsSupportView>
void define(py::module_& m, AsView as_view, AsSupportView as_support_view) {
  m.def(
      "svc_fit",
      [=](const Argument& X, const Array<std::int32_t>& labels, Index n_classes, const Array<double>& bounds,
          const std::optional<double>& nu, const KernelTuple& kernel, double tol, double cache_bytes, bool shrinking,
          Index max_iter, double max_seconds, const StartTuple& start, int n_threads, StopFlag* stop) {
        return svc_fit<T>(as_view(X), labels, n_classes, bounds, nu, kernel, tol, cache_bytes, shrinking, max_iter,
                          max_seconds, start, n_threads, stop);
      },
      py::arg("X").noconvert(), py::arg("labels").noconvert(), py::arg("n_classes"), py::arg("bounds").noconvert(),
      py::arg("nu").none(true), py::arg("kernel"), py::arg("tol"), py::arg("cache_bytes"), py::arg("shrinking"),
      py::arg("max_iter"), py::arg("max_seconds"), py::arg("start").none(true), py::arg("n_threads"),
      py::arg("stop").none(true) = py::none());
  m.def(
      "single_fit",
      [=](const Argument& X, int problem, const Array<double>& targets, const Array<double>& bounds, double epsilon,
          double nu, const KernelTuple& kernel, double tol, double cache_bytes, bool shrinking, Index max_iter,
          double max_seconds, const StartTuple& start, int n_threads) {
        return single_fit<T>(as_view(X), problem, targets, bounds, epsilon, nu, kernel, tol, cache_bytes, shrinking,
                             max_iter, max_seconds, start, n_threads);
      },
      py::arg("X").noconvert(), py::arg("problem"), py::arg("targets").noconvert(), py::arg("bounds").noconvert(),
      py::arg("epsilon"), py::arg("nu"), py::arg("kernel"), py::arg("tol"), py::arg("cache_bytes"),
      py::arg("shrinking"), py::arg("max_iter"), py::arg("max_seconds"), py::arg("start").none(true),
      py::arg("n_threads"));
  m.def(
      "kernel_matrix",
      [=](const Argument& X, const std::optional<Argument>& Z, const KernelTuple& kernel, int n_threads) {
        if (!Z) return kernel_matrix<T>(as_view(X), static_cast<decltype(as_view(X))*>(nullptr), kernel, n_threads);
        const auto z = as_view(*Z);
        return kernel_matrix<T>(as_view(X), &z, kernel, n_threads);
      },
      py::arg("X").noconvert(), py::arg("Z").noconvert().none(true), py::arg("kernel"), py::arg("n_threads"));
  m.def(
      "decide",
      [=](const Argument& X, const SupportArgument& vectors, const Array<double>& coef,
          const Array<std::int32_t>& per_class, const Array<double>& rho, const Array<Index>& support,
          const KernelTuple& kernel, bool labels, int n_threads) {
        return decide(as_view(X), as_support_view(vectors), coef, per_class, rho, support, kernel, labels, n_threads);
      },
      py::arg("X").noconvert(), py::arg("vectors").noconvert(), py::arg("coef").noconvert(),
      py::arg("per_class").noconvert(), py::arg("rho").noconvert(), py::arg("support").noconvert(), py::arg("kernel"),
      py::arg("labels"), py::arg("n_threads"));
}

template <class T>
void define_dense(py::module_& m) {
  define<T, Array<T>, Array<double>>(
      m, [](const Array<T>& x) { return matrix_view<T>(x, "X"); },
      [](const Array<double>& v) { return matrix_view<double>(v, "vectors"); });
}

template <class T, class I>
void define_csr(py::module_& m) {
  define<T, CsrArgument<T, I>, CsrArgument<double, I>>(
      m, [](const CsrArgument<T, I>& x) { return x.view(); }, [](const CsrArgument<double, I>& v) { return v.view(); });
}

}  // namespace

void register_svm(py::module_& module) {
  py::module_ m = module.def_submodule("svm", "Support vector machines.");
  py::class_<StopFlag>(m, "StopFlag", "Ends the fits that were given it, from another thread.")
      .def(py::init<>())
      .def("set", [](StopFlag& flag) { flag.value.store(true, std::memory_order_relaxed); });
  define_dense<float>(m);
  define_dense<double>(m);
  define_csr<float, std::int32_t>(m);
  define_csr<float, std::int64_t>(m);
  define_csr<double, std::int32_t>(m);
  define_csr<double, std::int64_t>(m);
}

}  // namespace mlcore::python
