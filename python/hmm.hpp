// Emission tuples, chains and sequences as the core sees them. Include after arrays.hpp.
#pragma once
#include <string>

#include "arrays.hpp"
#include "mlcore/hmm/model.hpp"

namespace mlcore::python {

/// ("gaussian", kind, means, covars) and the like, with the observations; keeps the arrays alive.
class HmmEmission {
 public:
  HmmEmission(const py::tuple& description, const py::object& observations);

  hmm::EmissionSpec spec;
  hmm::Observations x;

 private:
  const double* array(const py::handle& value, std::initializer_list<Index> shape, const char* name);

  std::vector<py::object> kept_;
};

hmm::Chain hmm_chain(const Array<double>& startprob, const Array<double>& transmat);
hmm::Sequences hmm_sequences(const Array<std::int64_t>& offsets, const std::optional<Array<double>>& weights,
                             const std::optional<Array<std::int32_t>>& labels);

}  // namespace mlcore::python
