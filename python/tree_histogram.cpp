// Bindings of mlcore._core.tree: sums of gradients by bin.
#include "mlcore/tree/histogram_sums.hpp"
#include "tree_arrays.hpp"

namespace mlcore::python {

namespace {

py::tuple histogram_partial(const tree::BinnedMatrix& binned, const Array<float>& gradients,
                            const Array<float>& hessians, const std::optional<Array<std::uint32_t>>& rows,
                            double resolution, int n_threads) {
  const auto g = vector_view<float>(gradients, "gradients"), h = vector_view<float>(hessians, "hessians");
  const auto r = vector_view<std::uint32_t>(rows, "rows");
  if (rows && r.size == 0) throw std::invalid_argument("rows must not be empty");
  tree::HistogramSums sums;
  {
    GilRelease nogil;
    sums = tree::histogram_sums(binned, g, h, r, resolution, n_threads);
  }
  return py::make_tuple(array_of(sums.gradients), array_of(sums.hessians), array_of(sums.counts));
}

py::object histogram_finish(const Array<std::int64_t>& gradients, const Array<std::int64_t>& hessians,
                            const Array<std::int64_t>& counts, const std::vector<Index>& cells, double resolution,
                            double l2, double l1, double min_split_gain, double min_child_weight,
                            Index min_samples_leaf) {
  const auto found =
      tree::best_split(vector_view<std::int64_t>(gradients, "gradients"),
                       vector_view<std::int64_t>(hessians, "hessians"), vector_view<std::int64_t>(counts, "counts"),
                       cells, resolution, {l2, l1, min_split_gain, min_child_weight, min_samples_leaf});
  if (!found) return py::none();
  return py::make_tuple(found->gain, found->feature, found->bin, found->missing_left, found->left_gradient,
                        found->left_hessian, found->left_count);
}

}  // namespace

void register_tree_histogram(py::module_& module) {
  py::module_ m = module.attr("tree").cast<py::module_>();
  m.def("histogram_partial", &histogram_partial, py::arg("binned"), py::arg("gradients").noconvert(),
        py::arg("hessians").noconvert(), py::arg("rows").noconvert(), py::arg("resolution"), py::arg("n_threads"));
  m.def("histogram_finish", &histogram_finish, py::arg("gradients").noconvert(), py::arg("hessians").noconvert(),
        py::arg("counts").noconvert(), py::arg("cells"), py::arg("resolution"), py::kw_only(), py::arg("l2"),
        py::arg("l1"), py::arg("min_split_gain"), py::arg("min_child_weight"), py::arg("min_samples_leaf"));
}

}  // namespace mlcore::python
