// Every function of runtime/blas.hpp on NumPy arrays, by the installed BLAS or by our own kernels.
#include "arrays.hpp"
#include "mlcore/runtime/blas.hpp"
#include "mlcore/runtime/parallel.hpp"

namespace mlcore::python {

namespace blas = runtime::blas;

namespace {

template <class T>
MatrixView<T> writable(Array<T>& array, const char* name) {
  const MatrixView<const T> view = matrix_view<T>(array, name);
  return {array.mutable_data(), view.rows, view.cols, view.row_stride, view.col_stride};
}

template <class T>
VectorView<T> writable_vector(Array<T>& array, const char* name) {
  return {array.mutable_data(), vector_view<T>(array, name).size};
}

blas::Triangle triangle(bool lower) { return lower ? blas::Triangle::kLower : blas::Triangle::kUpper; }
blas::Diagonal diagonal(bool unit) { return unit ? blas::Diagonal::kUnit : blas::Diagonal::kStored; }

template <class T>
void register_for(py::module_& m) {
  using A = Array<T>;
  const auto own = py::arg("own") = false;
  const auto in = [](const char* name) { return py::arg(name).noconvert(); };
  m.def(
      "gemm",
      [](T alpha, const A& a, const A& b, T beta, A& c, bool own) {
        (own ? blas::own::gemm<T> : blas::gemm<T>)(alpha, matrix_view<T>(a, "a"), matrix_view<T>(b, "b"), beta,
                                                   writable<T>(c, "c"));
      },
      py::arg("alpha"), in("a"), in("b"), py::arg("beta"), in("c"), own);
  m.def(
      "gemv",
      [](T alpha, const A& a, const A& x, T beta, A& y, bool own) {
        (own ? blas::own::gemv<T> : blas::gemv<T>)(alpha, matrix_view<T>(a, "a"), vector_view<T>(x, "x"), beta,
                                                   writable_vector<T>(y, "y"));
      },
      py::arg("alpha"), in("a"), in("x"), py::arg("beta"), in("y"), own);
  m.def(
      "syrk",
      [](bool lower, T alpha, const A& a, T beta, A& c, bool own) {
        (own ? blas::own::syrk<T> : blas::syrk<T>)(triangle(lower), alpha, matrix_view<T>(a, "a"), beta,
                                                   writable<T>(c, "c"));
      },
      py::arg("lower"), py::arg("alpha"), in("a"), py::arg("beta"), in("c"), own);
  m.def(
      "trsm",
      [](bool lower, bool unit, T alpha, const A& a, A& b, bool own) {
        (own ? blas::own::trsm<T> : blas::trsm<T>)(triangle(lower), diagonal(unit), alpha, matrix_view<T>(a, "a"),
                                                   writable<T>(b, "b"));
      },
      py::arg("lower"), py::arg("unit"), py::arg("alpha"), in("a"), in("b"), own);
  m.def(
      "potrf",
      [](bool lower, A& a, bool own) {
        return (own ? blas::own::potrf<T> : blas::potrf<T>)(triangle(lower), writable<T>(a, "a"));
      },
      py::arg("lower"), in("a"), own);
  m.def(
      "dot",
      [](const A& x, const A& y, bool own) {
        return (own ? blas::own::dot<T> : blas::dot<T>)(vector_view<T>(x, "x"), vector_view<T>(y, "y"));
      },
      in("x"), in("y"), own);
  m.def(
      "axpy",
      [](T alpha, const A& x, A& y, bool own) {
        (own ? blas::own::axpy<T> : blas::axpy<T>)(alpha, vector_view<T>(x, "x"), writable_vector<T>(y, "y"));
      },
      py::arg("alpha"), in("x"), in("y"), own);
  m.def(
      "nrm2", [](const A& x, bool own) { return (own ? blas::own::nrm2<T> : blas::nrm2<T>)(vector_view<T>(x, "x")); },
      in("x"), own);
  m.def(
      "gemm_in_parallel_region",
      [](const A& a, const A& b, A& c) {
        const auto left = matrix_view<T>(a, "a"), right = matrix_view<T>(b, "b");
        const auto out = writable<T>(c, "c");
        runtime::parallel_for(2, 2, [&](Index which) {
          if (which == 1) blas::gemm(T(1), left, right, T(0), out);
        });
      },
      in("a"), in("b"), in("c"));
}

}  // namespace

void register_testing_blas(py::module_& testing) {
  py::module_ m = testing.def_submodule("blas", "Dense linear algebra of the core.");
  register_for<float>(m);
  register_for<double>(m);
  m.def("calls", &blas::calls_served_by_blas, "Calls that went to the installed BLAS so far.");
  m.def("set_largest_piece", &blas::set_largest_piece, py::arg("size"));
}

}  // namespace mlcore::python
