// Test-only view of floor num: every kernel at every level, with any number of threads.
#include <variant>

#include "arrays.hpp"
#include "mlcore/num/elementwise.hpp"
#include "mlcore/num/logsumexp.hpp"
#include "mlcore/num/reductions.hpp"
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

template <class T>
void register_logsumexp(py::module_& module) {
  module.def(
      "logsumexp_rows",
      [](const Array<T>& x, const std::string& level, int threads) {
        const MatrixView<const T> view = matrix_view(x, "x");
        Buffer<T> out(view.rows);
        num::logsumexp_rows<T>(view, VectorView<T>{out.data(), out.size()}, threads, level_named(level));
        return to_array(std::move(out), {view.rows});
      },
      py::arg("x").noconvert(), py::arg("level"), py::arg("threads") = 1);
  module.def(
      "logsumexp",
      [](const Array<T>& x, const std::string& level, int threads) {
        return num::logsumexp<T>(vector_view(x, "x"), threads, level_named(level));
      },
      py::arg("x").noconvert(), py::arg("level"), py::arg("threads") = 1);
  // One stream per list: its items are single terms or arrays; then all streams are merged in order.
  module.def(
      "logsumexp_streams",
      [](const std::vector<std::vector<std::variant<double, Array<T>>>>& streams, const std::string& level) {
        num::LogSumExp all(level_named(level));
        for (const auto& items : streams) {
          num::LogSumExp one(level_named(level));
          for (const auto& item : items) {
            if (const double* term = std::get_if<double>(&item))
              one.add(*term);
            else
              one.add(vector_view(std::get<Array<T>>(item), "item"));
          }
          all.merge(one);
        }
        return all.value();
      },
      py::arg("streams").noconvert(), py::arg("level"));
}

template <class T>
void register_reductions(py::module_& module) {
  module.def(
      "sum",
      [](const Array<T>& x, const std::string& level, int threads) {
        return num::sum<T>(vector_view(x, "x"), threads, level_named(level));
      },
      py::arg("x").noconvert(), py::arg("level"), py::arg("threads") = 1);
  module.def(
      "dot",
      [](const Array<T>& x, const Array<T>& y, const std::string& level, int threads) {
        return num::dot<T>(vector_view(x, "x"), vector_view(y, "y"), threads, level_named(level));
      },
      py::arg("x").noconvert(), py::arg("y").noconvert(), py::arg("level"), py::arg("threads") = 1);
  module.def(
      "column_moments",
      [](const Array<T>& x, const std::string& level, int threads) {
        const MatrixView<const T> view = matrix_view(x, "x");
        num::ColumnMoments moments = num::column_moments<T>(view, threads, level_named(level));
        return std::make_pair(to_array(std::move(moments.mean), {view.cols}),
                              to_array(std::move(moments.variance), {view.cols}));
      },
      py::arg("x").noconvert(), py::arg("level"), py::arg("threads") = 1);
}

}  // namespace

void register_testing_num(py::module_& testing) {
  py::module_ module = testing.def_submodule("num");
  register_elementwise<float>(module);
  register_elementwise<double>(module);
  register_logsumexp<float>(module);
  register_logsumexp<double>(module);
  register_reductions<float>(module);
  register_reductions<double>(module);
  module.def("levels_here", [] {
    std::vector<std::string> names;
    for (const runtime::IsaLevel level : runtime::isa_levels_compiled())
      if (level <= runtime::isa_level_of_cpu()) names.emplace_back(runtime::isa_name(level));
    return names;
  });
}

}  // namespace mlcore::python
