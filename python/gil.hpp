// Leaving and taking the interpreter's lock (GIL) from C++. Every binding uses these and not pybind11's: a daemon
// thread that asks for the lock when the interpreter is ending never gets it, be it in our own code or in the Python
// function that we call. CPython before 3.14 ends such a thread with pthread_exit, which glibc carries out as an
// exception through every frame: the first noexcept function on its way makes it std::terminate, a destructor that
// gives the lock back makes it a fatal error, and the whole process aborts. Here the thread waits instead, for the
// moment until the process is gone, as CPython 3.14 lets it. To ask beforehand whether the interpreter is ending is not
// enough: it may begin to while the thread waits for the lock.
#pragma once
#include <Python.h>

#include <chrono>
#include <thread>
#ifdef __GLIBCXX__
#include <cxxabi.h>
#endif

namespace mlcore::python {

namespace detail {
[[noreturn]] inline void wait_for_the_end() noexcept {
  for (;;) std::this_thread::sleep_for(std::chrono::hours(1));
}

/// Calls a function that takes the lock or runs Python code. Does not return if the thread can't have the lock any
/// more.
template <class Call>
auto outlive_python(Call&& call) {
#ifdef __GLIBCXX__
  try {
    return call();
  } catch (abi::__forced_unwind&) {
    wait_for_the_end();
  }
#else
  return call();
#endif
}
}  // namespace detail

/// Gives the lock away until the end of the scope. The thread must hold it.
class GilRelease {
 public:
  GilRelease() noexcept : state_(PyEval_SaveThread()) {}
  ~GilRelease() {
    detail::outlive_python([this] { PyEval_RestoreThread(state_); });
  }
  GilRelease(const GilRelease&) = delete;
  GilRelease& operator=(const GilRelease&) = delete;

 private:
  PyThreadState* state_;
};

/// What body() returns, with the lock held, on any thread. Its exceptions come out when the lock is given back; it may
/// not catch (...) around Python code, or it would catch the thread's end.
template <class Body>
auto with_gil(Body&& body) {
  struct Held {
    PyGILState_STATE state = detail::outlive_python([] { return PyGILState_Ensure(); });
    ~Held() { PyGILState_Release(state); }
  };
  const Held held;
  return detail::outlive_python(body);
}

}  // namespace mlcore::python
