// A fit that does nothing but report: for the tests of the callback protocol.
#include "arrays.hpp"
#include "observer.hpp"

namespace mlcore::python {

void register_testing_observer(py::module_& testing) {
  testing.def(
      "run_observed",
      [](Index iterations, Index restarts, py::object callable) {
        PythonObserver listener(std::move(callable));
        Index done = 0;
        {
          GilRelease nogil;
          const runtime::Observer observer = listener.observer();
          for (Index restart = 0; restart < restarts; ++restart)
            for (Index i = 1; i <= iterations; ++i) {
              ++done;
              if (!observer({i, iterations, restart, 100.0 / static_cast<double>(i), 1.0 / static_cast<double>(i)}))
                break;
            }
        }
        listener.rethrow();
        return done;
      },
      py::arg("iterations"), py::arg("restarts") = 1, py::arg("observer") = py::none(),
      "Reports restarts x iterations; a stop ends a restart only. Returns the number of iterations run.");
}

}  // namespace mlcore::python
