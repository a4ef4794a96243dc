// Bindings of the linear machines, mlcore._core.svm.linear_fit.
#include "arrays.hpp"
#include "csr.hpp"
#include "mlcore/svm/linear.hpp"

namespace mlcore::python {

namespace {

template <class View>
py::tuple linear_fit(const View& x, int loss, int method, const Array<double>& targets, const Array<double>& costs,
                     const Array<double>& positive_costs, const Array<double>& negative_costs, double bias,
                     double epsilon, double tolerance, Index max_iterations, std::uint64_t seed, int n_threads) {
  if (loss < 0 || loss > 3 || method < 0 || method > 3) throw std::invalid_argument("unknown loss or method");
  svm::LinearSpec spec;
  spec.loss = static_cast<svm::LinearLoss>(loss);
  spec.method = static_cast<svm::LinearMethod>(method);
  spec.tolerance = tolerance;
  spec.max_iterations = max_iterations;
  spec.bias = bias;
  spec.epsilon = epsilon;
  spec.targets = vector_view<double>(targets, "targets");
  spec.costs = vector_view<double>(costs, "costs");
  spec.positive_costs = vector_view<double>(positive_costs, "positive_costs");
  spec.negative_costs = vector_view<double>(negative_costs, "negative_costs");
  spec.problems = spec.positive_costs.size;
  spec.seed = seed;
  spec.n_jobs = n_threads;
  svm::LinearResult result;
  {
    GilRelease nogil;
    result = svm::linear_fit(x, spec);
  }
  const Index width = x.cols + (bias != 0.0 ? 1 : 0), problems = spec.problems;
  return py::make_tuple(to_array(std::move(result.weights), {problems, width}),
                        to_array(std::move(result.iterations), {problems}),
                        to_array(std::move(result.objective), {problems}));
}

template <class Argument, class AsView>
void define(py::module_& m, AsView as_view) {
  m.def(
      "linear_fit",
      [=](const Argument& X, int loss, int method, const Array<double>& targets, const Array<double>& costs,
          const Array<double>& positive_costs, const Array<double>& negative_costs, double bias, double epsilon,
          double tol, Index max_iter, std::uint64_t seed, int n_threads) {
        return linear_fit(as_view(X), loss, method, targets, costs, positive_costs, negative_costs, bias, epsilon, tol,
                          max_iter, seed, n_threads);
      },
      py::arg("X").noconvert(), py::arg("loss"), py::arg("method"), py::arg("targets").noconvert(),
      py::arg("costs").noconvert(), py::arg("positive_costs").noconvert(), py::arg("negative_costs").noconvert(),
      py::arg("bias"), py::arg("epsilon"), py::arg("tol"), py::arg("max_iter"), py::arg("seed"), py::arg("n_threads"));
}

template <class T, class I>
void define_csr(py::module_& m) {
  define<CsrArgument<T, I>>(m, [](const CsrArgument<T, I>& x) { return x.view(); });
}

}  // namespace

void register_svm_linear(py::module_& module) {
  py::module_ m = module.attr("svm");
  define<Array<float>>(m, [](const Array<float>& x) { return matrix_view<float>(x, "X"); });
  define<Array<double>>(m, [](const Array<double>& x) { return matrix_view<double>(x, "X"); });
  define_csr<float, std::int32_t>(m);
  define_csr<float, std::int64_t>(m);
  define_csr<double, std::int32_t>(m);
  define_csr<double, std::int64_t>(m);
}

}  // namespace mlcore::python
