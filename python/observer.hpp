// A Python callable as the core's observer. Include after arrays.hpp.
//
//   PythonObserver listener(observer);                 // None: nobody listens, the core pays nothing
//   { GilRelease nogil;  fit(..., listener.observer()); }
//   listener.rethrow();                                // with the GIL held
//
// The callable gets a dict (iteration, max_iterations, restart, objective, change); a true result stops the fit. What
// it raises must not cross the core, which may be inside a parallel region and owns memory in C style: the exception
// is kept, the core is told to stop, and rethrow() raises it when the native call is over.
#pragma once
#include <exception>
#include <utility>

#include "arrays.hpp"
#include "mlcore/runtime/observer.hpp"

namespace mlcore::python {

class PythonObserver {
 public:
  explicit PythonObserver(py::object callable) : callable_(std::move(callable)) {
    if (!callable_.is_none() && PyCallable_Check(callable_.ptr()) == 0)
      throw py::type_error("observer must be callable or None");
  }
  PythonObserver(const PythonObserver&) = delete;
  PythonObserver& operator=(const PythonObserver&) = delete;

  /// Valid as long as this object lives.
  runtime::Observer observer() noexcept {
    if (callable_.is_none()) return {};
    return {&PythonObserver::on_iteration, this};
  }

  /// Raises what the callable raised, if anything; call it with the GIL held, after the native call.
  void rethrow() {
    if (raised_) std::rethrow_exception(std::exchange(raised_, nullptr));
  }

 private:
  // False stops the fit.
  static bool on_iteration(void* context, const runtime::IterationInfo& info) {
    auto& self = *static_cast<PythonObserver*>(context);
    try {
      return with_gil([&] {
        if (self.raised_) return false;  // a core that runs several restarts may ask again: the first exception counts
        py::dict values;
        values["iteration"] = info.iteration;
        values["max_iterations"] = info.max_iterations;
        values["restart"] = info.restart;
        values["objective"] = info.objective;
        values["change"] = info.change;
        const py::object answer = self.callable_(values);
        const int stop = PyObject_IsTrue(answer.ptr());
        if (stop < 0) throw py::error_already_set();
        return stop == 0;
      });
    } catch (...) {
      self.raised_ = std::current_exception();
      return false;
    }
  }

  py::object callable_;
  std::exception_ptr raised_;
};

}  // namespace mlcore::python
