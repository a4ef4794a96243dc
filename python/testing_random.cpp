// Test-only view of the random streams: one function per kind of draw, each making its own stream.
#include "arrays.hpp"
#include "mlcore/runtime/random.hpp"

namespace mlcore::python {

namespace {

using runtime::random::Purpose;
using runtime::random::Stream;

struct StreamArguments {
  std::uint64_t seed;
  std::uint64_t purpose;
  Index item;
  Index part;
  std::uint64_t position;

  Stream make() const {
    Stream stream(seed, static_cast<Purpose>(purpose), item, part);
    stream.seek(position);
    return stream;
  }
};

template <class T, class Draw>
py::array_t<T> draws(const StreamArguments& arguments, Index n, Draw&& draw) {
  Buffer<T> result(n);
  Stream stream = arguments.make();
  for (Index i = 0; i < n; ++i) result[i] = draw(stream);
  return to_array(std::move(result), {n});
}

// Registers name(n, *, seed, purpose, item, part, position) -> array of draws.
template <class T, class Draw>
void register_draw(py::module_& module, const char* name, Draw draw) {
  module.def(
      name,
      [draw](Index n, std::uint64_t seed, std::uint64_t purpose, Index item, Index part, std::uint64_t position) {
        return draws<T>({seed, purpose, item, part, position}, n, draw);
      },
      py::arg("n"), py::kw_only(), py::arg("seed"), py::arg("purpose") = 0, py::arg("item") = 0, py::arg("part") = 0,
      py::arg("position") = 0);
}

}  // namespace

void register_testing_random(py::module_& testing) {
  py::module_ module = testing.def_submodule("random");
  register_draw<std::uint64_t>(module, "words", [](Stream& s) { return s.next(); });
  register_draw<double>(module, "uniform64", [](Stream& s) { return s.uniform<double>(); });
  register_draw<float>(module, "uniform32", [](Stream& s) { return s.uniform<float>(); });
  register_draw<double>(module, "uniform_open64", [](Stream& s) { return s.uniform_open<double>(); });
  register_draw<float>(module, "uniform_open32", [](Stream& s) { return s.uniform_open<float>(); });
  register_draw<double>(module, "uniform_positive64", [](Stream& s) { return s.uniform_positive<double>(); });
  register_draw<float>(module, "uniform_positive32", [](Stream& s) { return s.uniform_positive<float>(); });
  register_draw<double>(module, "normal64", [](Stream& s) { return s.normal<double>(); });
  register_draw<float>(module, "normal32", [](Stream& s) { return s.normal<float>(); });
  register_draw<double>(module, "exponential64", [](Stream& s) { return s.exponential<double>(); });
  register_draw<float>(module, "exponential32", [](Stream& s) { return s.exponential<float>(); });
  module.def(
      "below",
      [](std::uint64_t bound, Index n, std::uint64_t seed, Index item) {
        return draws<std::uint64_t>({seed, 0, item, 0, 0}, n, [bound](Stream& s) { return s.below(bound); });
      },
      py::arg("bound"), py::arg("n"), py::kw_only(), py::arg("seed"), py::arg("item") = 0);
  module.def(
      "uniform_between",
      [](double low, double high, Index n, std::uint64_t seed) {
        return draws<double>({seed, 0, 0, 0, 0}, n, [=](Stream& s) { return s.uniform(low, high); });
      },
      py::arg("low"), py::arg("high"), py::arg("n"), py::kw_only(), py::arg("seed"));
  // Seeks before every draw, to prove that random access gives what drawing in order gives.
  module.def(
      "words_at",
      [](const std::vector<std::uint64_t>& positions, std::uint64_t seed, Index item) {
        Stream stream(seed, Purpose::kTest, item);
        std::vector<std::uint64_t> words;
        for (std::uint64_t position : positions) {
          stream.seek(position);
          words.push_back(stream.next());
          if (stream.position() != position + 1) throw std::logic_error("position does not count words");
        }
        return words;
      },
      py::arg("positions"), py::kw_only(), py::arg("seed"), py::arg("item") = 0);
  module.def(
      "permutation",
      [](Index n, std::uint64_t seed, Index item) {
        Stream stream(seed, Purpose::kTest, item);
        return to_array(runtime::random::permutation(stream, n), {n});
      },
      py::arg("n"), py::kw_only(), py::arg("seed"), py::arg("item") = 0);
  module.def(
      "sample_without_replacement",
      [](Index n, Index count, std::uint64_t seed, Index item) {
        Stream stream(seed, Purpose::kTest, item);
        return to_array(runtime::random::sample_without_replacement(stream, n, count), {count});
      },
      py::arg("n"), py::arg("count"), py::kw_only(), py::arg("seed"), py::arg("item") = 0);
  const auto weighted = [](const auto& weights, Index n, std::uint64_t seed) {
    const runtime::random::WeightedChoice choice(vector_view(weights, "weights"));
    return draws<Index>({seed, 0, 0, 0, 0}, n, [&](Stream& s) { return choice(s); });
  };
  module.def(
      "weighted_choice",
      [weighted](const Array<double>& weights, Index n, std::uint64_t seed) { return weighted(weights, n, seed); },
      py::arg("weights").noconvert(), py::arg("n"), py::kw_only(), py::arg("seed"));
  module.def(
      "weighted_choice",
      [weighted](const Array<float>& weights, Index n, std::uint64_t seed) { return weighted(weights, n, seed); },
      py::arg("weights").noconvert(), py::arg("n"), py::kw_only(), py::arg("seed"));
  module.def("portable_log", py::vectorize(runtime::random::portable_log), py::arg("x"));
  module.def("normal_quantile", py::vectorize(runtime::random::normal_quantile), py::arg("p"));
}

}  // namespace mlcore::python
