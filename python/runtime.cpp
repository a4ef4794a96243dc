// Facts about the runtime: instruction-set level and thread count.
#include "arrays.hpp"
#include "mlcore/runtime/isa_levels.hpp"
#include "mlcore/runtime/threads.hpp"

namespace mlcore::python {

void register_runtime(py::module_& module) {
  module.def("isa_level", [] { return runtime::isa_name(runtime::isa_level()); });
  module.def("isa_level_of_cpu", [] { return runtime::isa_name(runtime::isa_level_of_cpu()); });
  module.def("amx_bf16", [] { return runtime::amx_bf16(); });
  module.def("isa_levels_compiled", [] {
    std::vector<std::string> names;
    for (runtime::IsaLevel level : runtime::isa_levels_compiled()) names.emplace_back(runtime::isa_name(level));
    return names;
  });
  module.def(
      "resolve_threads",
      [](int n_jobs) {
        const runtime::ThreadCount count = runtime::resolve_threads(n_jobs);
        return std::make_pair(count.threads, std::string(count.source));
      },
      py::arg("n_jobs") = 0);
  module.def("affinity_count", &runtime::affinity_count);
  module.def("cgroup_quota", &runtime::cgroup_quota, py::arg("root") = "/sys/fs/cgroup",
             py::arg("proc_self_cgroup") = "/proc/self/cgroup");
}

}  // namespace mlcore::python
