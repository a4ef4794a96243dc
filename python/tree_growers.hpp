// What Python sees of a grower: the same for the one on bins and the one on sorted columns.
#pragma once
#include "tree_arrays.hpp"

namespace mlcore::python {

template <class Grower, class Matrix>
std::unique_ptr<Grower> make_grower(const Matrix& binned, double learning_rate, Index max_leaf_nodes, Index max_depth,
                                    Index min_samples_leaf, double min_child_weight, double l2, double l1,
                                    double min_split_gain, double max_delta_step, const std::string& growth,
                                    const std::optional<Array<std::int8_t>>& monotonic_cst,
                                    const std::optional<std::vector<std::vector<Index>>>& interaction_cst,
                                    double colsample_bylevel, double colsample_bynode, double cat_smooth,
                                    Index min_cat_support, Index histogram_bytes, int n_threads) {
  if (growth != "leaf" && growth != "level") throw std::invalid_argument("growth must be 'leaf' or 'level'");
  tree::GrowerSpec spec;
  spec.learning_rate = learning_rate;
  spec.max_leaf_nodes = max_leaf_nodes;
  spec.max_depth = max_depth;
  spec.min_samples_leaf = min_samples_leaf;
  spec.min_child_weight = min_child_weight;
  spec.l2 = l2;
  spec.l1 = l1;
  spec.min_split_gain = min_split_gain;
  spec.max_delta_step = max_delta_step;
  spec.level_wise = growth == "level";
  const auto monotonic = vector_view<std::int8_t>(monotonic_cst, "monotonic_cst");
  spec.monotonic.assign(monotonic.data, monotonic.data + monotonic.size);
  if (interaction_cst) spec.interaction = *interaction_cst;
  spec.colsample_bylevel = colsample_bylevel;
  spec.colsample_bynode = colsample_bynode;
  spec.cat_smooth = cat_smooth;
  spec.min_cat_support = min_cat_support;
  spec.histogram_bytes = histogram_bytes;
  spec.n_jobs = n_threads;
  GilRelease nogil;
  return std::make_unique<Grower>(binned, spec);
}

template <class Grower>
py::dict grow(Grower& grower, const Array<float>& gradients, const Array<float>& hessians,
              const std::optional<Array<std::uint32_t>>& rows, const std::optional<Array<std::uint8_t>>& feature_mask,
              std::uint64_t seed) {
  const auto g = vector_view<float>(gradients, "gradients");
  const auto h = vector_view<float>(hessians, "hessians");
  const auto r = vector_view<std::uint32_t>(rows, "rows");
  if (rows && r.size == 0) throw std::invalid_argument("rows must not be empty");
  const auto mask = vector_view<std::uint8_t>(feature_mask, "feature_mask");
  if (feature_mask && mask.size != grower.columns())
    throw std::invalid_argument("feature_mask must have one value per column");
  tree::Tree grown;
  {
    GilRelease nogil;
    grown = grower.grow(g, h, r, mask.data, seed);
  }
  return dict_of(grown);
}

template <class Grower>
py::tuple leaf_rows(const Grower& grower) {
  tree::LeafRows rows = grower.leaf_rows();
  const Index size = rows.offsets.empty() ? 0 : rows.offsets.back();
  return py::make_tuple(array_of(rows.nodes), array_of(rows.offsets), to_array(std::move(rows.rows), {size}));
}

template <class Grower>
void update_raw(const Grower& grower, Array<double> raw, const std::optional<Array<double>>& values) {
  const auto v = vector_view<double>(values, "values");
  if (values && v.size != grower.leaves()) throw std::invalid_argument("values must have one value per leaf");
  const VectorView<double> target = writable_vector(raw, "raw");
  GilRelease nogil;
  grower.update_raw(target, v.data);
}

template <class Grower>
py::array_t<double> renew_leaves(const Grower& grower, const std::string& kind, const Array<double>& y,
                                 const Array<double>& raw, const std::optional<Array<double>>& sample_weight,
                                 double alpha) {
  tree::LeafRenewal renewal = tree::LeafRenewal::kQuantile;
  if (kind == "huber")
    renewal = tree::LeafRenewal::kHuber;
  else if (kind == "expectile")
    renewal = tree::LeafRenewal::kExpectile;
  else if (kind != "quantile")
    throw std::invalid_argument("kind must be 'quantile', 'huber' or 'expectile'");
  if (!(alpha >= 0.0) || (renewal != tree::LeafRenewal::kHuber && alpha > 1.0))
    throw std::invalid_argument("alpha out of range");
  const auto targets = vector_view<double>(y, "y"), at = vector_view<double>(raw, "raw");
  const auto w = vector_view<double>(sample_weight, "sample_weight");
  std::vector<double> values;
  {
    GilRelease nogil;
    values = grower.renew_leaves(renewal, targets, at, w, alpha);
  }
  return array_of(values);
}

template <class Grower>
py::array_t<double> order_leaves(const Grower& grower, const Array<double>& values) {
  const auto view = vector_view<double>(values, "values");
  std::vector<double> ordered(view.data, view.data + view.size);
  grower.put_in_order(ordered);
  return array_of(ordered);
}

template <class Grower, class Matrix>
void register_grower(py::module_& m, const char* name, const char* doc) {
  py::class_<Grower>(m, name, doc)
      .def(py::init(&make_grower<Grower, Matrix>), py::arg("binned"), py::kw_only(), py::arg("learning_rate") = 1.0,
           py::arg("max_leaf_nodes") = 31, py::arg("max_depth") = 0, py::arg("min_samples_leaf") = 20,
           py::arg("min_child_weight") = 1e-3, py::arg("l2") = 0.0, py::arg("l1") = 0.0,
           py::arg("min_split_gain") = 0.0, py::arg("max_delta_step") = 0.0, py::arg("growth") = "leaf",
           py::arg("monotonic_cst").noconvert() = py::none(), py::arg("interaction_cst") = py::none(),
           py::arg("colsample_bylevel") = 1.0, py::arg("colsample_bynode") = 1.0, py::arg("cat_smooth") = 10.0,
           py::arg("min_cat_support") = 10, py::arg("histogram_bytes") = Index{512} << 20, py::arg("n_threads") = 0,
           py::keep_alive<1, 2>())
      .def("grow", &grow<Grower>, py::arg("gradients").noconvert(), py::arg("hessians").noconvert(),
           py::arg("rows").noconvert() = py::none(), py::arg("feature_mask").noconvert() = py::none(),
           py::arg("seed") = 0)
      .def("leaf_rows", &leaf_rows<Grower>)
      .def("update_raw", &update_raw<Grower>, py::arg("raw").noconvert(), py::arg("values").noconvert() = py::none())
      .def("renew_leaves", &renew_leaves<Grower>, py::arg("kind"), py::arg("y").noconvert(), py::arg("raw").noconvert(),
           py::arg("sample_weight").noconvert(), py::arg("alpha"))
      .def("order_leaves", &order_leaves<Grower>, py::arg("values").noconvert());
}

}  // namespace mlcore::python
