// Test-only view of the k-means kernels.
#include "arrays.hpp"
#include "mlcore/cluster/kmeans_screen.hpp"
#include "mlcore/runtime/isa_levels.hpp"

namespace mlcore::python {

void register_testing_cluster(py::module_& module) {
  module.def(
      "kmeans_screen",
      [](const Array<float>& X, const Array<float>& centers, const std::string& level, bool amx) {
        const MatrixView<const float> x = matrix_view<float>(X, "X"), c = matrix_view<float>(centers, "centers");
        for (const runtime::IsaLevel known : runtime::isa_levels_compiled()) {
          if (level != runtime::isa_name(known)) continue;
          cluster::ScreenReport report = cluster::kmeans_screen(x, c, known, amx);
          return py::make_tuple(to_array(std::move(report.hits), {x.rows, c.rows}),
                                to_array(std::move(report.best), {x.rows}),
                                to_array(std::move(report.second), {x.rows}));
        }
        throw std::invalid_argument("no such level: " + level);
      },
      py::arg("X").noconvert(), py::arg("centers").noconvert(), py::arg("level"), py::arg("amx"));
  module.def(
      "kmeans_assign_screened",
      [](const Array<float>& X, const Array<float>& centers, bool amx) {
        const MatrixView<const float> x = matrix_view<float>(X, "X"), c = matrix_view<float>(centers, "centers");
        Buffer<std::int32_t> labels({x.rows});
        {
          GilRelease nogil;
          cluster::kmeans_assign_screened(x, c, amx, labels.data());
        }
        return to_array(std::move(labels), {x.rows});
      },
      py::arg("X").noconvert(), py::arg("centers").noconvert(), py::arg("amx"));
  module.def(
      "kmeans_near_rows",
      [](const Array<float>& X, const Array<float>& candidates, const Array<float>& distance, const std::string& level,
         bool amx, bool listed) {
        const MatrixView<const float> x = matrix_view<float>(X, "X"), c = matrix_view<float>(candidates, "candidates");
        const VectorView<const float> current = vector_view<float>(distance, "distance");
        for (const runtime::IsaLevel known : runtime::isa_levels_compiled())
          if (level == runtime::isa_name(known))
            return to_array(cluster::kmeans_near_rows(x, c, current, known, amx, listed), {x.rows});
        throw std::invalid_argument("no such level: " + level);
      },
      py::arg("X").noconvert(), py::arg("candidates").noconvert(), py::arg("distance").noconvert(), py::arg("level"),
      py::arg("amx"), py::arg("listed"));
  module.def(
      "kmeans_plusplus_screened",
      [](const Array<float>& X, Index clusters, Index trials, std::uint64_t seed, int n_jobs, const std::string& how) {
        const MatrixView<const float> x = matrix_view<float>(X, "X");
        const cluster::Screening screening = how == "portable"      ? cluster::Screening::kPortable
                                             : how == "matrix unit" ? cluster::Screening::kMatrixUnit
                                                                    : cluster::Screening::kNever;
        return to_array(cluster::kmeans_plusplus_screened(x, clusters, trials, seed, n_jobs, screening), {clusters});
      },
      py::arg("X").noconvert(), py::arg("clusters"), py::arg("trials"), py::arg("seed"), py::arg("n_jobs"),
      py::arg("how"));
}

}  // namespace mlcore::python
