// C++ exceptions to Python's, and Ctrl-C to the core.
#include "arrays.hpp"
#include "mlcore/runtime/interrupt.hpp"

namespace mlcore::python {

namespace {
bool python_is_ending() noexcept {
#if PY_VERSION_HEX >= 0x030D0000
  return Py_IsFinalizing() != 0;
#else
  return _Py_IsFinalizing() != 0;
#endif
}

// Asks Python for pending signals. A handler's exception (KeyboardInterrupt) stays set for the translator below.
bool python_wants_to_stop() noexcept {
  // A daemon thread at the interpreter's end: to ask for the GIL now ends the thread by force, and with it the process.
  if (python_is_ending()) return false;
  py::gil_scoped_acquire gil;
  return PyErr_Occurred() != nullptr || PyErr_CheckSignals() != 0;
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
