#include "mlcore/runtime/isa.hpp"

#include <atomic>
#include <cstdlib>
#include <cstring>

#include "mlcore/runtime/isa_levels.hpp"

namespace mlcore::runtime {

IsaLevel isa_level_of_cpu() noexcept {
#if defined(__x86_64__) && defined(__GNUC__)
#ifdef MLCORE_HAVE_V4
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512cd") &&
      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
    return IsaLevel::kV4;
#endif
#ifdef MLCORE_HAVE_V3
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi") &&
      __builtin_cpu_supports("bmi2"))
    return IsaLevel::kV3;
#endif
#endif
  return IsaLevel::kBase;
}

namespace {
IsaLevel choose() noexcept {
  const IsaLevel best = isa_level_of_cpu();
  const char* wanted = std::getenv("MLCORE_ISA");
  if (wanted == nullptr) return best;
  if (std::strcmp(wanted, "base") == 0) return IsaLevel::kBase;
  if (std::strcmp(wanted, "v3") == 0 && best >= IsaLevel::kV3) return IsaLevel::kV3;
  return best;
}
}  // namespace

IsaLevel isa_level() noexcept {
  // Not a static local: a child forked while another thread initialises it would wait for ever. All threads choose
  // alike.
  static std::atomic<int> chosen{0};
  int level = chosen.load(std::memory_order_relaxed);
  if (level == 0) {
    level = static_cast<int>(choose());
    chosen.store(level, std::memory_order_relaxed);
  }
  return static_cast<IsaLevel>(level);
}

std::vector<IsaLevel> isa_levels_compiled() {
  std::vector<IsaLevel> levels{IsaLevel::kBase};
#ifdef MLCORE_HAVE_V3
  levels.push_back(IsaLevel::kV3);
#endif
#ifdef MLCORE_HAVE_V4
  levels.push_back(IsaLevel::kV4);
#endif
  return levels;
}

const char* isa_name(IsaLevel level) noexcept {
  switch (level) {
    case IsaLevel::kV3:
      return "v3";
    case IsaLevel::kV4:
      return "v4";
    default:
      return "base";
  }
}

}  // namespace mlcore::runtime
