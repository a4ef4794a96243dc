// NumPy arrays to views and results to NumPy arrays. Included first by every binding file: it brings pybind11.
#pragma once
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "gil.hpp"
#include "mlcore/base/buffer.hpp"
#include "mlcore/base/errors.hpp"
#include "mlcore/base/views.hpp"
#include "mlcore/runtime/scratch.hpp"

namespace mlcore::python {

namespace py = pybind11;

/// Array argument of exactly this dtype (register it with .noconvert(), so that nothing is cast or copied).
template <class T>
using Array = py::array_t<T, 0>;

template <class T>
MatrixView<const T> matrix_view(const Array<T>& array, const char* name) {
  if (array.ndim() != 2) throw std::invalid_argument(std::string(name) + " must have two dimensions");
  constexpr auto size = static_cast<Index>(sizeof(T));
  if (array.strides(0) % size != 0 || array.strides(1) % size != 0)
    throw std::invalid_argument(std::string(name) + " must be aligned");
  MatrixView<const T> view{array.data(), array.shape(0), array.shape(1), array.strides(0) / size,
                           array.strides(1) / size};
  if (view.cols == 1) view.col_stride = 1;
  return view;
}

template <class T>
VectorView<const T> vector_view(const Array<T>& array, const char* name) {
  if (array.ndim() != 1) throw std::invalid_argument(std::string(name) + " must have one dimension");
  if (array.size() > 1 && array.strides(0) != static_cast<py::ssize_t>(sizeof(T)))
    throw std::invalid_argument(std::string(name) + " must be contiguous");
  return {array.data(), array.shape(0)};
}

/// Optional vector: None is the empty view.
template <class T>
VectorView<const T> vector_view(const std::optional<Array<T>>& array, const char* name) {
  return array ? vector_view<T>(*array, name) : VectorView<const T>{};
}

/// Hands a buffer over to NumPy without a copy.
template <class T>
py::array_t<T> to_array(Buffer<T>&& buffer, std::vector<py::ssize_t> shape) {
  if (buffer.size() == 0) return py::array_t<T>(std::move(shape));
  T* memory = buffer.release();
  py::capsule owner(memory, [](void* p) { Buffer<T>::release_memory(p); });
  return py::array_t<T>(std::move(shape), memory, owner);
}

/// The same for memory that goes back to be used again when NumPy lets go of it.
template <class T>
py::array_t<T> to_array(runtime::Scratch<T>&& memory, std::vector<py::ssize_t> shape) {
  if (memory.size() == 0) return py::array_t<T>(std::move(shape));
  auto kept = std::make_unique<runtime::Scratch<T>>(std::move(memory));
  T* data = kept->data();
  py::capsule owner(kept.get(), [](void* p) { delete static_cast<runtime::Scratch<T>*>(p); });
  kept.release();
  return py::array_t<T>(std::move(shape), data, owner);
}

}  // namespace mlcore::python
