// Bindings of mlcore._core.tree: binning, and growth on bins.
#include "csr.hpp"
#include "tree_growers.hpp"

namespace mlcore::python {

namespace {

using tree::BinnedMatrix;

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
    GilRelease nogil;
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
  GilRelease nogil;
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
    GilRelease nogil;
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
  GilRelease nogil;
  return std::make_unique<BinnedMatrix>(x, lists, absent_is_missing, bundle, n_threads);
}

template <class Value, class Get>
py::array_t<Value> by_column(const BinnedMatrix& b, Get&& get) {
  py::array_t<Value> result(b.columns());
  for (Index j = 0; j < b.columns(); ++j) result.mutable_data()[j] = static_cast<Value>(get(j));
  return result;
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
  register_grower<tree::Grower, BinnedMatrix>(m, "Grower", "Grows trees on one binned matrix.");
}

}  // namespace mlcore::python
