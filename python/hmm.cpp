// Hidden Markov models in mlcore._core.hmm: scores, posteriors, decoding, E-step.
#include "hmm.hpp"

#include <algorithm>

#include "arrays.hpp"
#include "mlcore/hmm/inference.hpp"
#include "mlcore/hmm/rows.hpp"
#include "mlcore/hmm/statistics.hpp"

namespace mlcore::python {
namespace {

using OptionalDoubles = std::optional<Array<double>>;
using OptionalLabels = std::optional<Array<std::int32_t>>;

py::dict to_dict(hmm::Statistics&& s, const HmmEmission& emission) {
  const Index k = emission.spec.states, m = emission.spec.parts, d = emission.spec.features;
  py::dict out;
  out["log_likelihood"] = s.log_likelihood;
  out["n_sequences"] = s.sequences;
  out["n_log_space"] = s.log_space;
  out["start"] = to_array(std::move(s.start), {k});
  out["trans"] = to_array(std::move(s.trans), {k, k});
  out["post"] = to_array(std::move(s.post), {k});
  const bool mixture = emission.spec.family == hmm::Family::kGaussianMixture;
  const auto shape = [&](std::vector<py::ssize_t> rest) {
    std::vector<py::ssize_t> all{k};
    if (mixture) all.push_back(m);
    all.insert(all.end(), rest.begin(), rest.end());
    return all;
  };
  if (s.shift.size() > 0) out["shift"] = to_array(std::move(s.shift), {d});
  if (s.post_mix.size() > 0) out["post_mix"] = to_array(std::move(s.post_mix), {k, m});
  if (s.obs.size() > 0)
    out["obs"] = to_array(std::move(s.obs), shape({emission.spec.family == hmm::Family::kCategorical ? m : d}));
  if (s.obs2.size() > 0) out["obs2"] = to_array(std::move(s.obs2), shape({d}));
  if (s.obs_obs.size() > 0) out["obs_obs"] = to_array(std::move(s.obs_obs), shape({d, d}));
  if (s.gamma.size() > 0) {
    const Index rows = s.gamma.size() / k;
    out["gamma"] = to_array(std::move(s.gamma), {rows, k});
  }
  return out;
}

py::array combined(const Array<double>& a, const Array<double>& b, const std::string& key) {
  if (key == "gamma") return py::module_::import("numpy").attr("concatenate")(py::make_tuple(a, b)).cast<py::array>();
  require(a.size() == b.size(), "statistics of different shapes");
  const VectorView<const double> left{a.data(), a.size()}, right{b.data(), b.size()};
  if (key == "shift") {
    require(std::equal(left.data, left.data + left.size, right.data), "statistics of different parameters");
    return a;
  }
  return to_array(hmm::sum_of(left, right), std::vector<py::ssize_t>(a.shape(), a.shape() + a.ndim()));
}

py::dict combine(const py::dict& a, const py::dict& b) {
  py::dict out;
  require(a.size() == b.size(), "statistics of different emissions");
  for (const auto& [key, value] : a) {
    if (!b.contains(key)) throw std::invalid_argument("statistics of different emissions");
    const auto name = key.cast<std::string>();
    if (py::isinstance<py::array>(value))
      out[key] = combined(value.cast<Array<double>>(), b[key].cast<Array<double>>(), name);
    else
      out[key] = value + b[key];
  }
  return out;
}

py::tuple posteriors(const py::tuple& emission, const py::object& X, const Array<std::int64_t>& offsets,
                     const Array<double>& startprob, const Array<double>& transmat, const OptionalLabels& labels,
                     int n_threads) {
  const HmmEmission e(emission, X);
  const hmm::Chain chain = hmm_chain(startprob, transmat);
  const hmm::Sequences sequences = hmm_sequences(offsets, {}, labels);
  Buffer<double> log_likelihood({sequences.count()});
  auto gamma = hmm::rows_of_sequences<double>(sequences, e.x.rows, chain.states);
  {
    const GilRelease nogil;
    hmm::posteriors(e.spec, e.x, sequences, chain, n_threads, log_likelihood.data(), gamma.data());
  }
  return py::make_tuple(to_array(std::move(log_likelihood), {sequences.count()}),
                        to_array(std::move(gamma), {e.x.rows, chain.states}));
}

py::tuple filter(const py::tuple& emission, const py::object& X, const Array<std::int64_t>& offsets,
                 const Array<double>& startprob, const Array<double>& transmat, int n_threads) {
  const HmmEmission e(emission, X);
  const hmm::Chain chain = hmm_chain(startprob, transmat);
  const hmm::Sequences sequences = hmm_sequences(offsets, {}, {});
  Buffer<double> log_likelihood({sequences.count()});
  auto filtered = hmm::rows_of_sequences<double>(sequences, e.x.rows, chain.states);
  {
    const GilRelease nogil;
    hmm::filter(e.spec, e.x, sequences, chain, n_threads, log_likelihood.data(), filtered.data());
  }
  return py::make_tuple(to_array(std::move(log_likelihood), {sequences.count()}),
                        to_array(std::move(filtered), {e.x.rows, chain.states}));
}

py::array_t<double> score(const py::tuple& emission, const py::object& X, const Array<std::int64_t>& offsets,
                          const Array<double>& startprob, const Array<double>& transmat, const OptionalLabels& labels,
                          int n_threads) {
  const HmmEmission e(emission, X);
  const hmm::Chain chain = hmm_chain(startprob, transmat);
  const hmm::Sequences sequences = hmm_sequences(offsets, {}, labels);
  Buffer<double> log_likelihood({sequences.count()});
  {
    const GilRelease nogil;
    hmm::score(e.spec, e.x, sequences, chain, n_threads, log_likelihood.data());
  }
  return to_array(std::move(log_likelihood), {sequences.count()});
}

py::tuple viterbi(const py::tuple& emission, const py::object& X, const Array<std::int64_t>& offsets,
                  const Array<double>& startprob, const Array<double>& transmat, const OptionalLabels& labels,
                  int n_threads) {
  const HmmEmission e(emission, X);
  const hmm::Chain chain = hmm_chain(startprob, transmat);
  const hmm::Sequences sequences = hmm_sequences(offsets, {}, labels);
  Buffer<double> log_probability({sequences.count()});
  auto states = hmm::rows_of_sequences<std::int32_t>(sequences, e.x.rows, 1);
  {
    const GilRelease nogil;
    hmm::viterbi(e.spec, e.x, sequences, chain, n_threads, log_probability.data(), states.data());
  }
  return py::make_tuple(to_array(std::move(log_probability), {sequences.count()}),
                        to_array(std::move(states), {e.x.rows}));
}

py::dict estep(const py::tuple& emission, const py::object& X, const Array<std::int64_t>& offsets,
               const Array<double>& startprob, const Array<double>& transmat, const OptionalDoubles& weights,
               const OptionalLabels& labels, int n_threads) {
  const HmmEmission e(emission, X);
  const hmm::Chain chain = hmm_chain(startprob, transmat);
  const hmm::Sequences sequences = hmm_sequences(offsets, weights, labels);
  hmm::Statistics statistics;
  {
    const GilRelease nogil;
    statistics = hmm::estep(e.spec, e.x, sequences, chain, n_threads);
  }
  return to_dict(std::move(statistics), e);
}

py::array_t<double> log_densities(const py::tuple& emission, const py::object& X, int n_threads) {
  const HmmEmission e(emission, X);
  runtime::Scratch<double> out({e.x.rows, e.spec.states});
  {
    const GilRelease nogil;
    hmm::log_densities(e.spec, e.x, n_threads, out.data());
  }
  return to_array(std::move(out), {e.x.rows, e.spec.states});
}

py::tuple forward(const Array<double>& log_density, const Array<double>& startprob, const Array<double>& transmat) {
  const MatrixView<const double> l = matrix_view<double>(log_density, "log_density");
  const hmm::Chain chain = hmm_chain(startprob, transmat);
  Buffer<double> out({l.rows, l.cols});
  const double log_p = hmm::forward_trellis(l, chain, out.data());
  return py::make_tuple(log_p, to_array(std::move(out), {l.rows, l.cols}));
}

py::array_t<double> backward(const Array<double>& log_density, const Array<double>& startprob,
                             const Array<double>& transmat) {
  const MatrixView<const double> l = matrix_view<double>(log_density, "log_density");
  const hmm::Chain chain = hmm_chain(startprob, transmat);
  Buffer<double> out({l.rows, l.cols});
  hmm::backward_trellis(l, chain, out.data());
  return to_array(std::move(out), {l.rows, l.cols});
}

}  // namespace

void register_hmm(py::module_& module) {
  py::module_ m = module.def_submodule("hmm", "Hidden Markov models.");
  const auto labels = py::arg("labels").noconvert().none(true);
  m.def("log_densities", &log_densities, py::arg("emission"), py::arg("X"), py::arg("n_threads"));
  m.def("score", &score, py::arg("emission"), py::arg("X"), py::arg("offsets").noconvert(),
        py::arg("startprob").noconvert(), py::arg("transmat").noconvert(), labels, py::arg("n_threads"));
  m.def("posteriors", &posteriors, py::arg("emission"), py::arg("X"), py::arg("offsets").noconvert(),
        py::arg("startprob").noconvert(), py::arg("transmat").noconvert(), labels, py::arg("n_threads"));
  m.def("viterbi", &viterbi, py::arg("emission"), py::arg("X"), py::arg("offsets").noconvert(),
        py::arg("startprob").noconvert(), py::arg("transmat").noconvert(), labels, py::arg("n_threads"));
  m.def("estep", &estep, py::arg("emission"), py::arg("X"), py::arg("offsets").noconvert(),
        py::arg("startprob").noconvert(), py::arg("transmat").noconvert(), py::arg("weights").noconvert().none(true),
        labels, py::arg("n_threads"));
  m.def("combine", &combine, py::arg("a"), py::arg("b"));
  m.def("filter", &filter, py::arg("emission"), py::arg("X"), py::arg("offsets").noconvert(),
        py::arg("startprob").noconvert(), py::arg("transmat").noconvert(), py::arg("n_threads"));
  m.def("forward", &forward, py::arg("log_density").noconvert(), py::arg("startprob").noconvert(),
        py::arg("transmat").noconvert());
  m.def("backward", &backward, py::arg("log_density").noconvert(), py::arg("startprob").noconvert(),
        py::arg("transmat").noconvert());
}

}  // namespace mlcore::python
