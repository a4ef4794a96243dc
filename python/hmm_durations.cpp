// mlcore._core.hmm, second part: chains with explicit durations.
#include "arrays.hpp"
#include "hmm.hpp"
#include "mlcore/hmm/durations.hpp"
#include "mlcore/hmm/rows.hpp"

namespace mlcore::python {
namespace {

using OptionalLabels = std::optional<Array<std::int32_t>>;

/// A contiguous matrix; NumPy's strides of axes of length one mean nothing.
MatrixView<const double> contiguous_view(const Array<double>& array) {
  MatrixView<const double> view = matrix_view<double>(array, "log_density");
  if ((array.flags() & py::array::c_style) == 0) throw std::invalid_argument("log_density must be contiguous");
  view.row_stride = view.cols;
  view.col_stride = 1;
  return view;
}

/// The chain and its durations (K x D); log_density must have K columns.
hmm::DurationChain duration_chain(const Array<double>& startprob, const Array<double>& transmat,
                                  const Array<double>& durations) {
  hmm::DurationChain out;
  out.chain = hmm_chain(startprob, transmat);
  const MatrixView<const double> rows = matrix_view<double>(durations, "durations");
  if (rows.rows != out.chain.states) throw std::invalid_argument("durations must have a row for each state");
  if ((durations.flags() & py::array::c_style) == 0) throw std::invalid_argument("durations must be contiguous");
  out.longest = rows.cols;
  out.durations = rows.data;
  return out;
}

py::array_t<double> score(const Array<double>& log_density, const Array<std::int64_t>& offsets,
                          const Array<double>& startprob, const Array<double>& transmat, const Array<double>& durations,
                          const OptionalLabels& labels, int n_threads) {
  const MatrixView<const double> l = contiguous_view(log_density);
  const hmm::DurationChain chain = duration_chain(startprob, transmat, durations);
  const hmm::Sequences sequences = hmm_sequences(offsets, {}, labels);
  Buffer<double> log_likelihood({sequences.count()});
  {
    const GilRelease nogil;
    hmm::duration_score(l, sequences, chain, n_threads, log_likelihood.data());
  }
  return to_array(std::move(log_likelihood), {sequences.count()});
}

py::tuple posteriors(const Array<double>& log_density, const Array<std::int64_t>& offsets,
                     const Array<double>& startprob, const Array<double>& transmat, const Array<double>& durations,
                     const OptionalLabels& labels, int n_threads) {
  const MatrixView<const double> l = contiguous_view(log_density);
  const hmm::DurationChain chain = duration_chain(startprob, transmat, durations);
  const hmm::Sequences sequences = hmm_sequences(offsets, {}, labels);
  Buffer<double> log_likelihood({sequences.count()});
  runtime::Scratch<double> gamma({l.rows, l.cols});
  gamma.fill_zero();
  {
    const GilRelease nogil;
    hmm::duration_posteriors(l, sequences, chain, n_threads, log_likelihood.data(), gamma.data());
  }
  return py::make_tuple(to_array(std::move(log_likelihood), {sequences.count()}),
                        to_array(std::move(gamma), {l.rows, l.cols}));
}

py::tuple viterbi(const Array<double>& log_density, const Array<std::int64_t>& offsets, const Array<double>& startprob,
                  const Array<double>& transmat, const Array<double>& durations, const OptionalLabels& labels,
                  int n_threads) {
  const MatrixView<const double> l = contiguous_view(log_density);
  const hmm::DurationChain chain = duration_chain(startprob, transmat, durations);
  const hmm::Sequences sequences = hmm_sequences(offsets, {}, labels);
  Buffer<double> log_probability({sequences.count()});
  auto states = hmm::rows_of_sequences<std::int32_t>(sequences, l.rows, 1);
  {
    const GilRelease nogil;
    hmm::duration_viterbi(l, sequences, chain, n_threads, log_probability.data(), states.data());
  }
  return py::make_tuple(to_array(std::move(log_probability), {sequences.count()}),
                        to_array(std::move(states), {l.rows}));
}

py::dict estep(const Array<double>& log_density, const Array<std::int64_t>& offsets, const Array<double>& startprob,
               const Array<double>& transmat, const Array<double>& durations,
               const std::optional<Array<double>>& weights, const OptionalLabels& labels, int n_threads) {
  const MatrixView<const double> l = contiguous_view(log_density);
  const hmm::DurationChain chain = duration_chain(startprob, transmat, durations);
  const hmm::Sequences sequences = hmm_sequences(offsets, weights, labels);
  hmm::DurationStatistics found;
  {
    const GilRelease nogil;
    found = hmm::duration_estep(l, sequences, chain, n_threads);
  }
  const Index k = l.cols;
  py::dict out;
  out["log_likelihood"] = found.log_likelihood;
  out["n_sequences"] = found.sequences;
  out["n_log_space"] = found.log_space;
  out["start"] = to_array(std::move(found.start), {k});
  out["trans"] = to_array(std::move(found.trans), {k, k});
  out["durations"] = to_array(std::move(found.durations), {k, chain.longest});
  out["post"] = to_array(std::move(found.post), {k});
  out["gamma"] = to_array(std::move(found.gamma), {l.rows, k});
  return out;
}

}  // namespace

/// `module` is mlcore._core; the submodule "hmm" must exist.
void register_hmm_durations(py::module_& module) {
  auto m = module.attr("hmm").cast<py::module_>();
  const auto log_density = py::arg("log_density").noconvert();
  const auto offsets = py::arg("offsets").noconvert();
  const auto startprob = py::arg("startprob").noconvert();
  const auto transmat = py::arg("transmat").noconvert();
  const auto durations = py::arg("durations").noconvert();
  const auto labels = py::arg("labels").noconvert().none(true);
  m.def("duration_score", &score, log_density, offsets, startprob, transmat, durations, labels, py::arg("n_threads"));
  m.def("duration_posteriors", &posteriors, log_density, offsets, startprob, transmat, durations, labels,
        py::arg("n_threads"));
  m.def("duration_viterbi", &viterbi, log_density, offsets, startprob, transmat, durations, labels,
        py::arg("n_threads"));
  m.def("duration_estep", &estep, log_density, offsets, startprob, transmat, durations,
        py::arg("weights").noconvert().none(true), labels, py::arg("n_threads"));
}

}  // namespace mlcore::python
