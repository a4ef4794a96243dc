// C++ exceptions to Python's, and Ctrl-C to the core.
#include "arrays.hpp"
#include "mlcore/runtime/interrupt.hpp"

namespace mlcore::python {

namespace {
// Asks Python for pending signals. A handler's exception (KeyboardInterrupt) stays set for the translator below.
bool python_wants_to_stop() noexcept {
  return with_gil([] { return PyErr_Occurred() != nullptr || PyErr_CheckSignals() != 0; });
}
}  // namespace

void register_errors(py::module_&) {
  runtime::set_interrupt_probe(&python_wants_to_stop);
  // Local: the global list is shared with every other extension module that pybind11 made.
  py::register_local_exception_translator([](std::exception_ptr raised) {
    try {
      if (raised) std::rethrow_exception(raised);
    } catch (const Interrupted&) {
      if (PyErr_Occurred() == nullptr) PyErr_SetNone(PyExc_KeyboardInterrupt);
    } catch (const std::length_error& error) {
      PyErr_SetString(PyExc_MemoryError, error.what());
    }
  });
}

}  // namespace mlcore::python
