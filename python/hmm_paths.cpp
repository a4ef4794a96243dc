// Other decoders and sampling in mlcore._core.hmm.
#include "arrays.hpp"
#include "hmm.hpp"
#include "mlcore/hmm/paths.hpp"
#include "mlcore/hmm/sampling.hpp"

namespace mlcore::python {
namespace {

using OptionalLabels = std::optional<Array<std::int32_t>>;

py::tuple k_best(const py::tuple& emission, const py::object& X, const Array<std::int64_t>& offsets,
                 const Array<double>& startprob, const Array<double>& transmat, const OptionalLabels& labels, Index k,
                 Index parts, int n_threads) {
  const HmmEmission e(emission, X);
  const hmm::Chain chain = hmm_chain(startprob, transmat);
  const hmm::Sequences sequences = hmm_sequences(offsets, {}, labels);
  require(k > 0, "k must be positive");
  Buffer<double> log_probability({sequences.count(), k});
  Buffer<std::int32_t> states({k, e.x.rows});
  {
    const GilRelease nogil;
    hmm::viterbi_k_best(e.spec, e.x, sequences, chain, k, parts, n_threads, log_probability.data(), states.data());
  }
  return py::make_tuple(to_array(std::move(log_probability), {sequences.count(), k}),
                        to_array(std::move(states), {k, e.x.rows}));
}

py::tuple beam_search(const py::tuple& emission, const py::object& X, const Array<std::int64_t>& offsets,
                      const Array<double>& startprob, const Array<double>& transmat, const OptionalLabels& labels,
                      Index beam, int n_threads) {
  const HmmEmission e(emission, X);
  const hmm::Chain chain = hmm_chain(startprob, transmat);
  const hmm::Sequences sequences = hmm_sequences(offsets, {}, labels);
  Buffer<double> log_probability({sequences.count()});
  Buffer<std::int32_t> states = Buffer<std::int32_t>::zeros({e.x.rows});
  {
    const GilRelease nogil;
    hmm::viterbi_beam(e.spec, e.x, sequences, chain, beam, n_threads, log_probability.data(), states.data());
  }
  return py::make_tuple(to_array(std::move(log_probability), {sequences.count()}),
                        to_array(std::move(states), {e.x.rows}));
}

py::array_t<std::int32_t> sample_states(const Array<double>& startprob, const Array<double>& transmat,
                                        const Array<std::int64_t>& lengths, std::uint64_t seed, int n_threads) {
  const hmm::Chain chain = hmm_chain(startprob, transmat);
  const VectorView<const std::int64_t> sizes = vector_view<std::int64_t>(lengths, "lengths");
  Index total = 0;
  for (Index s = 0; s < sizes.size; ++s) {
    require(sizes[s] >= 0, "lengths must not be negative");
    total += sizes[s];
  }
  Buffer<std::int32_t> states({total});
  {
    const GilRelease nogil;
    hmm::sample_states(chain, sizes, seed, n_threads, states.data());
  }
  return to_array(std::move(states), {total});
}

py::array_t<std::int32_t> sample_posterior(const py::tuple& emission, const py::object& X,
                                           const Array<std::int64_t>& offsets, const Array<double>& startprob,
                                           const Array<double>& transmat, Index n_samples, std::uint64_t seed,
                                           int n_threads) {
  const HmmEmission e(emission, X);
  const hmm::Chain chain = hmm_chain(startprob, transmat);
  const hmm::Sequences sequences = hmm_sequences(offsets, {}, {});
  require(n_samples >= 0, "n_samples must not be negative");
  Buffer<std::int32_t> states = Buffer<std::int32_t>::zeros({n_samples, e.x.rows});
  {
    const GilRelease nogil;
    hmm::sample_posterior(e.spec, e.x, sequences, chain, n_samples, seed, n_threads, states.data());
  }
  return to_array(std::move(states), {n_samples, e.x.rows});
}

}  // namespace

/// `module` is mlcore._core; the submodule "hmm" must exist.
void register_hmm_paths(py::module_& module) {
  auto m = module.attr("hmm").cast<py::module_>();
  const auto labels = py::arg("labels").noconvert().none(true);
  m.def("viterbi_k_best", &k_best, py::arg("emission"), py::arg("X"), py::arg("offsets").noconvert(),
        py::arg("startprob").noconvert(), py::arg("transmat").noconvert(), labels, py::arg("k"), py::arg("parts"),
        py::arg("n_threads"));
  m.def("viterbi_beam", &beam_search, py::arg("emission"), py::arg("X"), py::arg("offsets").noconvert(),
        py::arg("startprob").noconvert(), py::arg("transmat").noconvert(), labels, py::arg("beam"),
        py::arg("n_threads"));
  m.def("sample_states", &sample_states, py::arg("startprob").noconvert(), py::arg("transmat").noconvert(),
        py::arg("lengths").noconvert(), py::arg("seed"), py::arg("n_threads"));
  m.def("sample_posterior", &sample_posterior, py::arg("emission"), py::arg("X"), py::arg("offsets").noconvert(),
        py::arg("startprob").noconvert(), py::arg("transmat").noconvert(), py::arg("n_samples"), py::arg("seed"),
        py::arg("n_threads"));
}

}  // namespace mlcore::python
