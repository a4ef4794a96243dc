// The one place that decides how many threads a call may use, and why.
#pragma once
#include <string>

#include "mlcore/base/types.hpp"

namespace mlcore::runtime {

/// Number of threads and the rule that gave it: "n_jobs", "OpenMP limit" (OMP_NUM_THREADS or threadpool_limits),
/// "affinity", "cgroup quota", "nested", "forked".
struct ThreadCount {
  int threads = 1;
  const char* source = "n_jobs";
};

/// n_jobs > 0: that many, but at most thread_cap(); 0 (not given): the smaller of omp_get_max_threads(), the affinity
/// mask and the cgroup quota (read once a process); n_jobs < 0: that default + 1 + n_jobs, at least 1. Always 1 inside
/// a parallel region and in a forked child.
ThreadCount resolve_threads(int n_jobs) noexcept;

/// Most threads that an explicit n_jobs can get: four per processor, at least 64, and at most OMP_THREAD_LIMIT. More
/// than one per processor is of use in tests only.
int thread_cap() noexcept;

/// Work of one thread that pays for waking it up.
inline constexpr double kWorkPerThreadNs = 50e3;

/// Threads that pay for `work_ns` (estimated in nanoseconds of one thread): at most one per kWorkPerThreadNs and at
/// most `allowed`; at least 1.
int threads_for_work(int allowed, double work_ns) noexcept;

/// Whole cores that the cgroup (v1 or v2) quota allows, rounded up; 0 when there is none. `root` is "/sys/fs/cgroup"
/// and `proc_self_cgroup` is "/proc/self/cgroup" outside tests.
int cgroup_quota(const std::string& root, const std::string& proc_self_cgroup);

/// Processors in this process's affinity mask.
int affinity_count() noexcept;

/// The caller works inside a parallel region, ours or one of OpenMP.
bool in_parallel_region() noexcept;

/// True in a child of fork() whose parent had already loaded this library: no pool survives that. (Not after
/// exec, which loads the library anew.)
bool in_forked_child() noexcept;

}  // namespace mlcore::runtime
