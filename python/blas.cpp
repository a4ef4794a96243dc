// Installs the BLAS that python/blas.pyx has found.
#include "mlcore/runtime/blas.hpp"

#include <cstdint>
#include <map>
#include <string>

#include "arrays.hpp"

namespace mlcore::python {

namespace blas = runtime::blas;

void register_blas(py::module_& module) {
  module.def(
      "install_blas",
      [](const std::map<std::string, std::uintptr_t>& addresses, int int_bits) {
        blas::EntryPoints entry_points;
        entry_points.int_bits = int_bits;
        const auto find = [&](const std::string& name) {
          const auto found = addresses.find(name);
          return found == addresses.end() ? nullptr : reinterpret_cast<void*>(found->second);
        };
        for (std::size_t f = 0; f < blas::kFunctions.size(); ++f) {
          entry_points.single[f] = find(std::string("s") + blas::kFunctions[f]);
          entry_points.real_double[f] = find(std::string("d") + blas::kFunctions[f]);
        }
        blas::install(entry_points);
      },
      py::arg("addresses"), py::arg("int_bits"));
  module.def("uninstall_blas", &blas::uninstall);
  module.def("blas_info", [] {
    const blas::Info info = blas::info();
    return std::make_pair(info.installed, info.int_bits);
  });
}

}  // namespace mlcore::python
