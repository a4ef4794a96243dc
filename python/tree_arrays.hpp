// Trees cross the border as dicts of NumPy arrays.
#pragma once
#include "arrays.hpp"
#include "mlcore/tree/forest.hpp"
#include "mlcore/tree/grower.hpp"

namespace mlcore::python {

template <class T>
py::array_t<T> array_of(const std::vector<T>& values) {
  return py::array_t<T>(static_cast<py::ssize_t>(values.size()), values.data());
}

template <class T>
VectorView<T> writable_vector(Array<T>& array, const char* name) {
  const VectorView<const T> view = vector_view<T>(array, name);
  return {array.mutable_data(), view.size};
}

template <class T>
MatrixView<T> writable_matrix(Array<T>& array, const char* name) {
  const MatrixView<const T> view = matrix_view<T>(array, name);
  return {array.mutable_data(), view.rows, view.cols, view.row_stride, view.col_stride};
}

inline py::dict dict_of(const tree::Tree& t) {
  py::dict result;
  result["feature"] = array_of(t.feature);
  result["threshold"] = array_of(t.threshold);
  result["bin"] = array_of(t.bin);
  result["missing_left"] = array_of(t.missing_left);
  result["left"] = array_of(t.left);
  result["right"] = array_of(t.right);
  result["value"] = array_of(t.value);
  result["gain"] = array_of(t.gain);
  result["count"] = array_of(t.count);
  result["cover"] = array_of(t.cover);
  result["depth"] = array_of(t.depth);
  result["is_cat"] = array_of(t.is_categorical);
  result["bitset_index"] = array_of(t.bitset_index);
  const auto sets = static_cast<py::ssize_t>(t.bitsets.size() / 8);
  result["bitsets"] = py::array_t<std::uint32_t>({sets, py::ssize_t{8}}, t.bitsets.data());
  return result;
}

template <class T>
std::vector<T> values_of(const py::dict& tree, const char* name) {
  const auto array = tree[name].cast<py::array_t<T, py::array::c_style | py::array::forcecast>>();
  return std::vector<T>(array.data(), array.data() + array.size());
}

/// What prediction needs of a tree.
inline tree::Tree tree_of(const py::dict& d) {
  tree::Tree t;
  t.feature = values_of<std::int32_t>(d, "feature");
  t.threshold = values_of<double>(d, "threshold");
  t.bin = values_of<std::int32_t>(d, "bin");
  t.missing_left = values_of<std::uint8_t>(d, "missing_left");
  t.left = values_of<std::int32_t>(d, "left");
  t.right = values_of<std::int32_t>(d, "right");
  t.value = values_of<double>(d, "value");
  t.count = values_of<std::int64_t>(d, "count");
  t.is_categorical = values_of<std::uint8_t>(d, "is_cat");
  t.bitset_index = values_of<std::int32_t>(d, "bitset_index");
  t.bitsets = values_of<std::uint32_t>(d, "bitsets");
  if (d.contains("linear_start")) {
    t.linear_start = values_of<std::int32_t>(d, "linear_start");
    t.linear_feature = values_of<std::int32_t>(d, "linear_feature");
    t.linear_coefficient = values_of<double>(d, "linear_coefficient");
    t.intercept = values_of<double>(d, "intercept");
  }
  return t;
}

}  // namespace mlcore::python
