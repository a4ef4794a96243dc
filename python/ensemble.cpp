// Bindings of mlcore._core.ensemble: losses of boosting and gradient-based sampling.
#include "mlcore/ensemble/losses.hpp"
#include "tree_arrays.hpp"

namespace mlcore::python {

namespace {

using ensemble::Loss;

Loss loss_of(const std::string& name) {
  static constexpr const char* kNames[] = {"squared_error", "absolute_error", "huber",   "quantile", "expectile",
                                           "poisson",       "gamma",          "tweedie", "log_loss", "multinomial"};
  for (int k = 0; k < 10; ++k)
    if (name == kNames[k]) return static_cast<Loss>(k);
  throw std::invalid_argument("unknown loss: " + name);
}

/// Hessians of one element: constant, not written.
MatrixView<float> hessians_view(Array<float>& hessians, const MatrixView<float>& gradients) {
  if (hessians.size() == 1 && gradients.cols != 1) return {};
  return writable_matrix(hessians, "hessians");
}

void gradients(const std::string& loss, double parameter, const Array<double>& y, const Array<double>& raw,
               const std::optional<Array<double>>& sample_weight, Array<float> gradients, Array<float> hessians,
               int n_threads) {
  const Loss kind = loss_of(loss);
  const auto targets = vector_view<double>(y, "y");
  const auto at = matrix_view<double>(raw, "raw");
  const auto w = vector_view<double>(sample_weight, "sample_weight");
  const auto g = writable_matrix(gradients, "gradients");
  const auto h = hessians_view(hessians, g);
  GilRelease nogil;
  ensemble::loss_gradients(kind, parameter, targets, at, w, g, h, n_threads);
}

double loss(const std::string& name, double parameter, const Array<double>& y, const Array<double>& raw,
            const std::optional<Array<double>>& sample_weight, int n_threads) {
  const Loss kind = loss_of(name);
  const auto targets = vector_view<double>(y, "y");
  const auto at = matrix_view<double>(raw, "raw");
  const auto w = vector_view<double>(sample_weight, "sample_weight");
  GilRelease nogil;
  return ensemble::loss_value(kind, parameter, targets, at, w, n_threads);
}

void call_objective(std::uintptr_t address, const Array<double>& y, const Array<double>& raw,
                    const std::optional<Array<double>>& sample_weight, Array<float> gradients, Array<float> hessians,
                    int n_threads) {
  const auto targets = vector_view<double>(y, "y"), at = vector_view<double>(raw, "raw");
  const auto w = vector_view<double>(sample_weight, "sample_weight");
  const auto g = writable_vector(gradients, "gradients"), h = writable_vector(hessians, "hessians");
  GilRelease nogil;
  ensemble::call_objective(reinterpret_cast<ensemble::CompiledObjective>(address), targets, at, w, g, h, n_threads);
}

py::array_t<std::uint32_t> goss(Array<float> gradients, Array<float> hessians, double top_rate, double other_rate,
                                std::uint64_t seed, int n_threads) {
  const auto g = writable_matrix(gradients, "gradients");
  const auto h = hessians_view(hessians, g);
  Buffer<std::uint32_t> rows;
  {
    GilRelease nogil;
    rows = ensemble::goss(g, h, top_rate, other_rate, seed, n_threads);
  }
  const Index size = rows.size();
  return to_array(std::move(rows), {size});
}

}  // namespace

void register_ensemble(py::module_& module) {
  py::module_ m = module.def_submodule("ensemble", "Losses and sampling of gradient boosting.");
  m.def("gradients", &gradients, py::arg("loss"), py::arg("parameter"), py::arg("y").noconvert(),
        py::arg("raw").noconvert(), py::arg("sample_weight").noconvert(), py::arg("gradients").noconvert(),
        py::arg("hessians").noconvert(), py::arg("n_threads") = 0);
  m.def("loss", &loss, py::arg("loss"), py::arg("parameter"), py::arg("y").noconvert(), py::arg("raw").noconvert(),
        py::arg("sample_weight").noconvert(), py::arg("n_threads") = 0);
  m.def("call_objective", &call_objective, py::arg("address"), py::arg("y").noconvert(), py::arg("raw").noconvert(),
        py::arg("sample_weight").noconvert(), py::arg("gradients").noconvert(), py::arg("hessians").noconvert(),
        py::arg("n_threads") = 0);
  m.def("goss", &goss, py::arg("gradients").noconvert(), py::arg("hessians").noconvert(), py::arg("top_rate"),
        py::arg("other_rate"), py::arg("seed"), py::arg("n_threads") = 0);
}

}  // namespace mlcore::python
