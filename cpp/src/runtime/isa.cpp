#include "mlcore/runtime/isa.hpp"

#include <atomic>
#include <cstdlib>
#include <cstring>

#include "mlcore/runtime/isa_levels.hpp"

#if defined(MLCORE_HAVE_V4) && defined(__linux__) && defined(__x86_64__)
#define MLCORE_ASK_FOR_AMX 1
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

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

namespace {
bool ask_for_amx() noexcept {
#ifdef MLCORE_ASK_FOR_AMX
  const char* wanted = std::getenv("MLCORE_ISA");
  const bool lowered = wanted != nullptr && (std::strcmp(wanted, "base") == 0 || std::strcmp(wanted, "v3") == 0 ||
                                             std::strcmp(wanted, "v4") == 0);
  unsigned a = 0, b = 0, c = 0, d = 0;
  if (lowered || isa_level() != IsaLevel::kV4 || __get_cpuid_count(7, 0, &a, &b, &c, &d) == 0) return false;
  constexpr unsigned kBf16 = 1u << 22, kTile = 1u << 24;
  if ((d & kBf16) == 0 || (d & kTile) == 0) return false;
  constexpr unsigned kVectorBf16 = 1u << 5;  // conversions of whole vectors
  if (__get_cpuid_count(7, 1, &a, &b, &c, &d) == 0 || (a & kVectorBf16) == 0) return false;
  constexpr long kRequestPermission = 0x1023, kTileData = 18;  // ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA
  return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
#else
  return false;
#endif
}
}  // namespace

bool amx_bf16() noexcept {
  static std::atomic<int> answer{-1};  // not initialised at first use: see isa_level()
  int known = answer.load(std::memory_order_relaxed);
  if (known < 0) {
    known = ask_for_amx() ? 1 : 0;
    answer.store(known, std::memory_order_relaxed);
  }
  return known == 1;
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
