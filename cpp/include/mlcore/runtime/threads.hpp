// The one place that decides how many threads a call may use, and why.
#pragma once
#include <string>

#include "mlcore/base/types.hpp"

namespace mlcore::runtime {

/// Number of threads and the rule that gave it: "n_jobs", "OMP_NUM_THREADS", "affinity", "cgroup quota", "nested", "forked".
struct ThreadCount {
  int threads = 1;
  const char* source = "n_jobs";
};

/// n_jobs > 0: that many; 0 (not given): the smaller of omp_get_max_threads(), the affinity mask and the cgroup quota;
/// n_jobs < 0: that default + 1 + n_jobs, at least 1. Always 1 inside a parallel region and in a forked child.
ThreadCount resolve_threads(int n_jobs) noexcept;

/// Threads that pay for `work` (estimated in nanoseconds of one thread): at most one per kWorkPerThreadNs.
int threads_for_work(int allowed, double work_ns) noexcept;

/// The same for a count of items, each of `ns_per_item`.
inline constexpr double kWorkPerThreadNs = 50e3;

/// Whole cores that the cgroup (v1 or v2) quota allows, rounded up; 0 when there is none. `root` is "/sys/fs/cgroup" and
/// `proc_self_cgroup` is "/proc/self/cgroup" outside tests.
int cgroup_quota(const std::string& root, const std::string& proc_self_cgroup);

/// Processors in this process's affinity mask.
int affinity_count() noexcept;

/// True in a child of fork() whose parent had already loaded this library: OpenMP's pool did not survive.
bool in_forked_child() noexcept;

}  // namespace mlcore::runtime
