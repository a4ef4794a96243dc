// Test-only view of floor num: every kernel at every level, with any number of threads.
#include "arrays.hpp"
#include "mlcore/num/elementwise.hpp"
#include "mlcore/runtime/isa_levels.hpp"

namespace mlcore::python {

namespace {

runtime::IsaLevel level_named(const std::string& name) {
  for (const runtime::IsaLevel level : runtime::isa_levels_compiled())
    if (name == runtime::isa_name(level)) return level;
  throw std::invalid_argument("no such level: " + name);
}

const std::pair<const char*, num::Elementwise> kElementwise[] = {
    {"exp", num::Elementwise::kExp},
    {"expm1", num::Elementwise::kExpm1},
    {"log", num::Elementwise::kLog},
    {"log1p", num::Elementwise::kLog1p},
    {"tanh", num::Elementwise::kTanh},
    {"sigmoid", num::Elementwise::kSigmoid},
    {"exp_flushed", num::Elementwise::kExpFlushed},
};

template <class T>
void register_elementwise(py::module_& module) {
  for (const auto& [name, function] : kElementwise)
    module.def(
        name,
        [function](const Array<T>& x, const std::string& level, int threads) {
          const VectorView<const T> view = vector_view(x, "x");
          Buffer<T> y(view.size);
          num::apply<T>(function, view, VectorView<T>{y.data(), y.size()}, threads, level_named(level));
          return to_array(std::move(y), {view.size});
        },
        py::arg("x").noconvert(), py::arg("level"), py::arg("threads") = 1);
  module.def(
      "apply_in_place",
      [](const std::string& wanted, Array<T> x, const std::string& level) {
        const VectorView<const T> view = vector_view(x, "x");
        for (const auto& [name, function] : kElementwise)
          if (wanted == name)
            num::apply<T>(function, view, VectorView<T>{x.mutable_data(), view.size}, 1, level_named(level));
      },
      py::arg("name"), py::arg("x").noconvert(), py::arg("level"));
}

}  // namespace

void register_testing_num(py::module_& testing) {
  py::module_ module = testing.def_submodule("num");
  register_elementwise<float>(module);
  register_elementwise<double>(module);
  module.def("levels_here", [] {
    std::vector<std::string> names;
    for (const runtime::IsaLevel level : runtime::isa_levels_compiled())
      if (level <= runtime::isa_level_of_cpu()) names.emplace_back(runtime::isa_name(level));
    return names;
  });
}

}  // namespace mlcore::python
