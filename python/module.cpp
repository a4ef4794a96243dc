// The extension module mlcore._core: calls one register_<part> per part, nothing else.
#include "arrays.hpp"

namespace mlcore::python {
void register_errors(py::module_& module);
void register_runtime(py::module_& module);
void register_finite(py::module_& module);
void register_blas(py::module_& module);
void register_build_info(py::module_& module);
void register_testing_random(py::module_& testing);
void register_testing_num(py::module_& testing);
void register_testing_observer(py::module_& testing);
void register_testing_blas(py::module_& testing);
void register_testing_runtime(py::module_& testing);
void register_testing_cluster(py::module_& testing);
void register_cluster(py::module_& module);
void register_cluster_minibatch(py::module_& module);  // after register_cluster
void register_spherical(py::module_& module);          // after register_cluster
void register_tree(py::module_& module);
void register_tree_forest(py::module_& module);     // after register_tree
void register_tree_histogram(py::module_& module);  // after register_tree
void register_tree_methods(py::module_& module);    // after register_tree
void register_ensemble(py::module_& module);
void register_hmm(py::module_& module);
void register_hmm_durations(py::module_& module);
void register_hmm_paths(py::module_& module);  // after register_hmm
void register_neighbors(py::module_& module);
void register_dbscan(py::module_& module);  // after register_cluster
void register_svm(py::module_& module);
void register_svm_linear(py::module_& module);
}  // namespace mlcore::python

PYBIND11_MODULE(_core, module) {
  using namespace mlcore::python;
  module.doc() = "Native kernels of mlcore. Private: use the classes of the package.";
  py::module_ testing = module.def_submodule("_testing", "Internals for the test suite.");
  register_errors(module);
  register_runtime(module);
  register_finite(module);
  register_cluster(module);
  register_cluster_minibatch(module);
  register_blas(module);
  register_build_info(module);
  register_spherical(module);
  register_tree(module);
  register_tree_forest(module);
  register_tree_histogram(module);
  register_tree_methods(module);
  register_ensemble(module);
  register_hmm(module);
  register_hmm_paths(module);
  register_hmm_durations(module);
  register_neighbors(module);
  register_dbscan(module);
  register_svm(module);
  register_svm_linear(module);  // into the same submodule
  register_testing_random(testing);
  register_testing_num(testing);
  register_testing_observer(testing);
  register_testing_blas(testing);
  register_testing_runtime(testing);
  register_testing_cluster(testing);
}
