// Check of the input arrays.
#include "mlcore/num/finite.hpp"

#include "arrays.hpp"

namespace mlcore::python {
namespace {

// Below this the look costs less than letting other Python threads in.
constexpr Index kReleaseAt = 1 << 16;

template <class T>
bool all_finite(const Array<T>& x, int n_jobs) {
  const MatrixView<const T> view = matrix_view<T>(x, "X");
  if (x.size() < kReleaseAt) return num::all_finite(view, n_jobs);
  const GilRelease nogil;
  return num::all_finite(view, n_jobs);
}

}  // namespace

void register_finite(py::module_& module) {
  module.def("all_finite", &all_finite<float>, py::arg("X").noconvert(), py::arg("n_jobs") = 0);
  module.def("all_finite", &all_finite<double>, py::arg("X").noconvert(), py::arg("n_jobs") = 0);
}

}  // namespace mlcore::python
