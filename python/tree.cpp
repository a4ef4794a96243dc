// Bindings of mlcore._core.tree: binning and growth.
#include "csr.hpp"
#include "tree_arrays.hpp"

namespace mlcore::python {

namespace {

using tree::BinnedMatrix;
using tree::Grower;

std::vector<std::vector<double>> thresholds_of(const std::vector<Array<double>>& lists) {
  std::vector<std::vector<double>> result;
  for (const auto& list : lists) {
    const VectorView<const double> view = vector_view<double>(list, "thresholds");
    result.emplace_back(view.data, view.data + view.size);
  }
  return result;
}

template <class T>
py::list find_bins(const Array<T>& X, const std::optional<Array<double>>& sample_weight,
                   const std::optional<Array<std::int64_t>>& rows, Index max_bins,
                   const std::optional<Array<std::uint8_t>>& is_categorical, int n_threads) {
  const MatrixView<const T> x = matrix_view<T>(X, "X");
  const auto w = vector_view<double>(sample_weight, "sample_weight");
  const auto r = vector_view<std::int64_t>(rows, "rows");
  const auto c = vector_view<std::uint8_t>(is_categorical, "is_categorical");
  if (is_categorical && c.size != x.cols) throw std::invalid_argument("is_categorical must have one value per column");
  std::vector<std::vector<double>> found;
  {
    py::gil_scoped_release nogil;
    found = tree::find_bins<T>(x, w, r, max_bins, is_categorical ? c.data : nullptr, n_threads);
  }
  py::list result;
  for (const auto& list : found) result.append(array_of(list));
  return result;
}

template <class T>
std::unique_ptr<BinnedMatrix> make_binned(const Array<T>& X, const std::vector<Array<double>>& thresholds,
                                          const std::optional<Array<std::int32_t>>& n_categories, int n_threads) {
  const MatrixView<const T> x = matrix_view<T>(X, "X");
  const auto lists = thresholds_of(thresholds);
  const auto c = vector_view<std::int32_t>(n_categories, "n_categories");
  py::gil_scoped_release nogil;
  return std::make_unique<BinnedMatrix>(x, lists, c, n_threads);
}

// X as its columns: (data, row numbers, indptr, n_rows).
template <class T, class I>
py::list find_bins_of_columns(const CsrArgument<T, I>& columns, const std::optional<Array<double>>& sample_weight,
                              Index max_bins, bool absent_is_missing, int n_threads) {
  const CsrView<T, I> x = columns.view();
  const auto w = vector_view<double>(sample_weight, "sample_weight");
  std::vector<std::vector<double>> found;
  {
    py::gil_scoped_release nogil;
    found = tree::find_bins(x, w, max_bins, absent_is_missing, n_threads);
  }
  py::list result;
  for (const auto& list : found) result.append(array_of(list));
  return result;
}

template <class T, class I>
std::unique_ptr<BinnedMatrix> binned_of_columns(const CsrArgument<T, I>& columns,
                                                const std::vector<Array<double>>& thresholds, bool absent_is_missing,
                                                bool bundle, int n_threads) {
  const CsrView<T, I> x = columns.view();
  const auto lists = thresholds_of(thresholds);
  py::gil_scoped_release nogil;
  return std::make_unique<BinnedMatrix>(x, lists, absent_is_missing, bundle, n_threads);
}

template <class Value, class Get>
py::array_t<Value> by_column(const BinnedMatrix& b, Get&& get) {
  py::array_t<Value> result(b.columns());
  for (Index j = 0; j < b.columns(); ++j) result.mutable_data()[j] = static_cast<Value>(get(j));
  return result;
}

std::unique_ptr<Grower> make_grower(const BinnedMatrix& binned, double learning_rate, Index max_leaf_nodes,
                                    Index max_depth, Index min_samples_leaf, double min_child_weight, double l2,
                                    double l1, double min_split_gain, double max_delta_step, const std::string& growth,
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
  py::gil_scoped_release nogil;
  return std::make_unique<Grower>(binned, spec);
}

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
    py::gil_scoped_release nogil;
    grown = grower.grow(g, h, r, mask.data, seed);
  }
  return dict_of(grown);
}

py::tuple leaf_rows(const Grower& grower) {
  tree::LeafRows rows = grower.leaf_rows();
  const Index size = rows.offsets.empty() ? 0 : rows.offsets.back();
  return py::make_tuple(array_of(rows.nodes), array_of(rows.offsets), to_array(std::move(rows.rows), {size}));
}

void update_raw(const Grower& grower, Array<double> raw, const std::optional<Array<double>>& values) {
  const auto v = vector_view<double>(values, "values");
  if (values && v.size != grower.leaves()) throw std::invalid_argument("values must have one value per leaf");
  const VectorView<double> target = writable_vector(raw, "raw");
  py::gil_scoped_release nogil;
  grower.update_raw(target, v.data);
}

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
    py::gil_scoped_release nogil;
    values = grower.renew_leaves(renewal, targets, at, w, alpha);
  }
  return array_of(values);
}

py::array_t<double> order_leaves(const Grower& grower, const Array<double>& values) {
  const auto view = vector_view<double>(values, "values");
  std::vector<double> ordered(view.data, view.data + view.size);
  grower.put_in_order(ordered);
  return array_of(ordered);
}

template <class T>
void register_dtype(py::module_& m, py::class_<BinnedMatrix>& binned) {
  m.def("find_bins", &find_bins<T>, py::arg("X").noconvert(), py::arg("sample_weight").noconvert(),
        py::arg("rows").noconvert(), py::arg("max_bins"), py::arg("is_categorical").noconvert(), py::arg("n_threads"));
  binned.def(py::init(&make_binned<T>), py::arg("X").noconvert(), py::arg("thresholds"),
             py::arg("n_categories").noconvert() = py::none(), py::arg("n_threads") = 0);
}

template <class T, class I>
void register_columns(py::module_& m, py::class_<BinnedMatrix>& binned) {
  m.def("find_bins_of_columns", &find_bins_of_columns<T, I>, py::arg("columns"), py::arg("sample_weight").noconvert(),
        py::arg("max_bins"), py::arg("absent_is_missing"), py::arg("n_threads"));
  binned.def_static("of_columns", &binned_of_columns<T, I>, py::arg("columns"), py::arg("thresholds"),
                    py::arg("absent_is_missing"), py::arg("bundle") = false, py::arg("n_threads") = 0);
}

}  // namespace

void register_tree(py::module_& module) {
  py::module_ m = module.def_submodule("tree", "Histogram trees.");
  py::class_<BinnedMatrix> binned(m, "BinnedMatrix", "Bin numbers of a matrix.");
  register_dtype<float>(m, binned);
  register_dtype<double>(m, binned);
  register_columns<float, std::int32_t>(m, binned);
  register_columns<float, std::int64_t>(m, binned);
  register_columns<double, std::int32_t>(m, binned);
  register_columns<double, std::int64_t>(m, binned);
  binned.def_property_readonly("n_rows", &BinnedMatrix::rows)
      .def_property_readonly("n_features", &BinnedMatrix::columns)
      .def_property_readonly("n_groups", &BinnedMatrix::groups)
      .def_property_readonly("nbytes", &BinnedMatrix::bytes)
      .def(
          "bins",
          [](const BinnedMatrix& b, Index column) {
            if (column < 0 || column >= b.columns()) throw py::index_error("no such column");
            return array_of(b.column(column));
          },
          py::arg("column"))
      .def("n_bins",
           [](const BinnedMatrix& b) { return by_column<std::int32_t>(b, [&](Index j) { return b.bins(j); }); })
      .def("has_missing",
           [](const BinnedMatrix& b) { return by_column<std::uint8_t>(b, [&](Index j) { return b.has_missing(j); }); });
  py::class_<Grower>(m, "Grower", "Grows trees on one binned matrix.")
      .def(py::init(&make_grower), py::arg("binned"), py::kw_only(), py::arg("learning_rate") = 1.0,
           py::arg("max_leaf_nodes") = 31, py::arg("max_depth") = 0, py::arg("min_samples_leaf") = 20,
           py::arg("min_child_weight") = 1e-3, py::arg("l2") = 0.0, py::arg("l1") = 0.0,
           py::arg("min_split_gain") = 0.0, py::arg("max_delta_step") = 0.0, py::arg("growth") = "leaf",
           py::arg("monotonic_cst").noconvert() = py::none(), py::arg("interaction_cst") = py::none(),
           py::arg("colsample_bylevel") = 1.0, py::arg("colsample_bynode") = 1.0, py::arg("cat_smooth") = 10.0,
           py::arg("min_cat_support") = 10, py::arg("histogram_bytes") = Index{512} << 20, py::arg("n_threads") = 0,
           py::keep_alive<1, 2>())
      .def("grow", &grow, py::arg("gradients").noconvert(), py::arg("hessians").noconvert(),
           py::arg("rows").noconvert() = py::none(), py::arg("feature_mask").noconvert() = py::none(),
           py::arg("seed") = 0)
      .def("leaf_rows", &leaf_rows)
      .def("update_raw", &update_raw, py::arg("raw").noconvert(), py::arg("values").noconvert() = py::none())
      .def("renew_leaves", &renew_leaves, py::arg("kind"), py::arg("y").noconvert(), py::arg("raw").noconvert(),
           py::arg("sample_weight").noconvert(), py::arg("alpha"))
      .def("order_leaves", &order_leaves, py::arg("values").noconvert());
}

}  // namespace mlcore::python
