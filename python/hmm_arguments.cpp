// What the functions of mlcore._core.hmm take: checks shapes and dtypes, copies nothing.
#include "arrays.hpp"
#include "hmm.hpp"

namespace mlcore::python {
namespace {

template <class T>
const T* contiguous(const py::handle& value, const char* name) {
  const auto array = py::cast<Array<T>>(value);
  if ((array.flags() & py::array::c_style) == 0) throw std::invalid_argument(std::string(name) + " must be contiguous");
  return array.data();
}

hmm::CovarianceType covariance_type(const std::string& kind) {
  if (kind == "spherical") return hmm::CovarianceType::kSpherical;
  if (kind == "diag") return hmm::CovarianceType::kDiagonal;
  if (kind == "full") return hmm::CovarianceType::kFull;
  if (kind == "tied") return hmm::CovarianceType::kTied;
  throw std::invalid_argument("unknown covariance type: " + kind);
}

Index length_of(const py::handle& value, int axis) {
  if (!py::isinstance<py::array>(value)) throw std::invalid_argument("emission parameters must be arrays");
  const auto array = py::reinterpret_borrow<py::array>(value);
  if (axis >= array.ndim()) throw std::invalid_argument("an emission parameter has too few dimensions");
  return array.shape(axis);
}

}  // namespace

const double* HmmEmission::array(const py::handle& value, std::initializer_list<Index> shape, const char* name) {
  if (!py::isinstance<Array<double>>(value)) throw std::invalid_argument(std::string(name) + " must be float64");
  const auto given = py::reinterpret_borrow<Array<double>>(value);
  bool fits = given.ndim() == static_cast<py::ssize_t>(shape.size());
  int axis = 0;
  for (const Index size : shape) {
    fits = fits && given.shape(axis) == size;
    ++axis;
  }
  if (!fits) throw std::invalid_argument(std::string(name) + " has a wrong shape");
  kept_.push_back(given);
  return contiguous<double>(given, name);
}

HmmEmission::HmmEmission(const py::tuple& description, const py::object& observations) {
  if (description.empty()) throw std::invalid_argument("empty emission");
  const auto family = description[0].cast<std::string>();
  const auto size = [&](std::size_t least) {
    if (description.size() < least) throw std::invalid_argument("the emission misses parameters");
  };
  if (family == "log_density") {
    size(2);
    spec.family = hmm::Family::kLogDensity;
    x.rows = length_of(description[1], 0);
    spec.states = length_of(description[1], 1);
    spec.log_density = array(description[1], {x.rows, spec.states}, "log_density");
    return;
  }
  if (family == "categorical") {
    size(2);
    spec.family = hmm::Family::kCategorical;
    spec.states = length_of(description[1], 0);
    spec.parts = length_of(description[1], 1);
    spec.probabilities = array(description[1], {spec.states, spec.parts}, "P");
    if (!py::isinstance<Array<std::int64_t>>(observations)) throw std::invalid_argument("symbols must be int64");
    const auto given = py::reinterpret_borrow<Array<std::int64_t>>(observations);
    if (given.ndim() != 1) throw std::invalid_argument("symbols must have one dimension");
    kept_.push_back(given);
    x.symbols = contiguous<std::int64_t>(given, "symbols");
    x.rows = given.shape(0);
    x.cols = 1;
    return;
  }
  if (family == "gaussian" || family == "gaussian_mixture") {
    const bool mixture = family == "gaussian_mixture";
    size(mixture ? 5 : 4);
    spec.family = mixture ? hmm::Family::kGaussianMixture : hmm::Family::kGaussian;
    spec.covariance = covariance_type(description[1].cast<std::string>());
    const std::size_t means = mixture ? 3 : 2;
    spec.states = length_of(description[means], 0);
    if (mixture) spec.parts = length_of(description[means], 1);
    spec.features = length_of(description[means], mixture ? 2 : 1);
    const Index k = spec.states, m = spec.parts, d = spec.features;
    if (mixture) spec.probabilities = array(description[2], {k, m}, "weights");
    spec.means = mixture ? array(description[3], {k, m, d}, "means") : array(description[2], {k, d}, "means");
    const py::object covars = description[means + 1];
    switch (spec.covariance) {
      case hmm::CovarianceType::kSpherical:
        spec.covars = mixture ? array(covars, {k, m}, "covars") : array(covars, {k}, "covars");
        break;
      case hmm::CovarianceType::kDiagonal:
        spec.covars = mixture ? array(covars, {k, m, d}, "covars") : array(covars, {k, d}, "covars");
        break;
      case hmm::CovarianceType::kFull:
        spec.covars = mixture ? array(covars, {k, m, d, d}, "covars") : array(covars, {k, d, d}, "covars");
        break;
      case hmm::CovarianceType::kTied:
        spec.covars = mixture ? array(covars, {k, d, d}, "covars") : array(covars, {d, d}, "covars");
        break;
    }
    if (!mixture && description.size() > 4 && !description[4].is_none())
      spec.offsets = array(description[4], {k}, "offsets");
  } else if (family == "poisson" || family == "multinomial") {
    size(2);
    spec.family = family == "poisson" ? hmm::Family::kPoisson : hmm::Family::kMultinomial;
    spec.states = length_of(description[1], 0);
    spec.features = length_of(description[1], 1);
    spec.probabilities = array(description[1], {spec.states, spec.features}, "probabilities");
  } else {
    throw std::invalid_argument("unknown emission: " + family);
  }
  const bool single = py::isinstance<Array<float>>(observations);
  if (!single && !py::isinstance<Array<double>>(observations))
    throw std::invalid_argument("X must be float32 or float64");
  const auto given = py::reinterpret_borrow<py::array>(observations);
  if (given.ndim() != 2) throw std::invalid_argument("X must have two dimensions");
  kept_.push_back(given);
  if (single)
    x.f32 = contiguous<float>(given, "X");
  else
    x.f64 = contiguous<double>(given, "X");
  x.rows = given.shape(0);
  x.cols = given.shape(1);
}

hmm::Chain hmm_chain(const Array<double>& startprob, const Array<double>& transmat) {
  const VectorView<const double> start = vector_view<double>(startprob, "startprob");
  const MatrixView<const double> rows = matrix_view<double>(transmat, "transmat");
  if (rows.rows != start.size || rows.cols != start.size) throw std::invalid_argument("transmat must be square");
  if ((transmat.flags() & py::array::c_style) == 0) throw std::invalid_argument("transmat must be contiguous");
  // The recursions' checks on what they have lost would never end on NaN.
  bool numbers = true;
  for (Index i = 0; i < start.size; ++i) {
    numbers = numbers && start[i] == start[i];
    for (Index j = 0; j < start.size; ++j)
      numbers = numbers && rows.data[i * start.size + j] == rows.data[i * start.size + j];
  }
  if (!numbers) throw std::invalid_argument("startprob and transmat must not hold NaN");
  return {start.size, start.data, rows.data};
}

hmm::Sequences hmm_sequences(const Array<std::int64_t>& offsets, const std::optional<Array<double>>& weights,
                             const std::optional<Array<std::int32_t>>& labels) {
  return {vector_view<std::int64_t>(offsets, "offsets"), vector_view<double>(weights, "weights"),
          vector_view<std::int32_t>(labels, "labels")};
}

}  // namespace mlcore::python
