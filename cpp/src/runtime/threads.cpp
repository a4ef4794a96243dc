#include "mlcore/runtime/threads.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <fstream>
#include <sstream>
#include <string>
#include <thread>

#include "mlcore/runtime/parallel.hpp"

#ifdef _OPENMP
#include <omp.h>
#endif
#if defined(__linux__)
#include <sched.h>
#endif
#if defined(__unix__) || defined(__APPLE__)
#include <pthread.h>
#endif

namespace mlcore::runtime {

namespace {

std::atomic<bool> forked{false};
std::atomic<int> cached_quota{-1};  // not a static local: a child forked while it is initialised would wait forever

#if defined(__unix__) || defined(__APPLE__)
// No pool of threads survives fork(): the child would wait for threads that are not there.
[[maybe_unused]] const int registered = pthread_atfork(nullptr, nullptr, [] { forked.store(true); });
#endif

bool read_line(const std::string& path, std::string& line) {
  std::ifstream file(path);
  return file && std::getline(file, line);
}

int cores_of(double quota, double period) {
  if (!(quota > 0) || !(period > 0)) return 0;
  return static_cast<int>(std::clamp(std::ceil(quota / period), 1.0, 1e6));
}

int smaller_quota(int a, int b) { return a == 0 ? b : b == 0 ? a : std::min(a, b); }

// The quota of a group and of all its parents: the smallest one counts.
template <class Read>
int smallest_upwards(std::string path, Read&& read) {
  int smallest = 0;
  for (;;) {
    smallest = smaller_quota(smallest, read(path));
    if (path.empty() || path == "/") return smallest;
    const auto slash = path.find_last_of('/');
    path = slash == std::string::npos ? "" : path.substr(0, slash);
  }
}

int quota_v2(const std::string& directory) {
  std::string line;
  if (!read_line(directory + "/cpu.max", line)) return 0;
  std::istringstream fields(line);
  std::string quota;
  double period = 0;
  fields >> quota >> period;
  return quota == "max" || quota.empty() ? 0 : cores_of(std::atof(quota.c_str()), period);
}

int quota_v1(const std::string& directory) {
  std::string quota, period;
  if (!read_line(directory + "/cpu.cfs_quota_us", quota) || !read_line(directory + "/cpu.cfs_period_us", period))
    return 0;
  return cores_of(std::atof(quota.c_str()), std::atof(period.c_str()));
}

}  // namespace

int cgroup_quota(const std::string& root, const std::string& proc_self_cgroup) {
  int smallest = smaller_quota(quota_v2(root), quota_v1(root + "/cpu"));
  std::ifstream groups(proc_self_cgroup);
  std::string line;
  while (std::getline(groups, line)) {  // hierarchy:controllers:path
    const auto first = line.find(':');
    const auto second = first == std::string::npos ? first : line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = "," + line.substr(first + 1, second - first - 1) + ",";
    const std::string path = line.substr(second + 1);
    if (controllers == ",,")
      smallest =
          smaller_quota(smallest, smallest_upwards(path, [&](const std::string& p) { return quota_v2(root + p); }));
    else if (controllers.find(",cpu,") != std::string::npos)
      for (const char* mount : {"/cpu", "/cpu,cpuacct", "/cpuacct,cpu"})
        smallest = smaller_quota(
            smallest, smallest_upwards(path, [&](const std::string& p) { return quota_v1(root + mount + p); }));
  }
  return smallest;
}

int affinity_count() noexcept {
#if defined(__linux__)
  // More than 1,024 processors need a larger set than cpu_set_t: grow until the kernel is content.
  for (int size = 1024; size <= (1 << 18); size *= 4) {
    cpu_set_t* set = CPU_ALLOC(static_cast<std::size_t>(size));
    if (set == nullptr) break;
    const std::size_t bytes = CPU_ALLOC_SIZE(static_cast<std::size_t>(size));
    const int count = sched_getaffinity(0, bytes, set) == 0 ? CPU_COUNT_S(bytes, set) : 0;
    CPU_FREE(set);
    if (count > 0) return count;
  }
#endif
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

bool in_forked_child() noexcept { return forked.load(std::memory_order_relaxed); }

namespace {
int quota_of_this_process() noexcept {
  int quota = cached_quota.load(std::memory_order_relaxed);
  if (quota < 0) {
    try {
      quota = cgroup_quota("/sys/fs/cgroup", "/proc/self/cgroup");
    } catch (...) {
      quota = 0;
    }
    cached_quota.store(quota, std::memory_order_relaxed);
  }
  return quota;
}
}  // namespace

int thread_cap() noexcept {
  const int cap = std::max(64, 4 * affinity_count());
#ifdef _OPENMP
  return std::max(1, std::min(cap, omp_get_thread_limit()));
#else
  return cap;
#endif
}

bool in_parallel_region() noexcept {
#ifdef _OPENMP
  if (omp_in_parallel() != 0) return true;
#endif
  return thread_state::inside_region;
}

ThreadCount resolve_threads(int n_jobs) noexcept {
  if (in_forked_child()) return {1, "forked"};
  if (in_parallel_region()) return {1, "nested"};
  if (n_jobs > 0) return {n_jobs == 1 ? 1 : std::min(n_jobs, thread_cap()), "n_jobs"};
  ThreadCount count{affinity_count(), "affinity"};
#ifdef _OPENMP
  if (const int omp = std::min(omp_get_max_threads(), omp_get_thread_limit()); omp < count.threads)
    count = {std::max(1, omp), "OpenMP limit"};
#endif
  if (const int quota = quota_of_this_process(); quota > 0 && quota < count.threads) count = {quota, "cgroup quota"};
  if (n_jobs < 0) count = {std::max(1, count.threads + 1 + n_jobs), "n_jobs"};
  return count;
}

int threads_for_work(int allowed, double work_ns) noexcept {
  const double paying = work_ns / kWorkPerThreadNs;
  if (!(paying >= 2.0)) return 1;  // also when it is not a number
  return std::max(1, static_cast<int>(std::min<double>(allowed, paying)));
}

}  // namespace mlcore::runtime
