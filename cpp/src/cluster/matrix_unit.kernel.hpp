// bfloat16 in vectors and the matrix unit (AMX), for kernel files. MLCORE_WITH_AMX is defined where it is compiled in.
#pragma once
#if MLCORE_ISA_LEVEL == 4
#include <immintrin.h>
#if defined(__linux__) && ((defined(__clang__) && __clang_major__ >= 12) || (!defined(__clang__) && __GNUC__ >= 11))
#define MLCORE_WITH_AMX 1
#endif
#endif

#include <cstdint>

#include "mlcore/num/simd.hpp"

namespace mlcore::MLCORE_ISA_NAMESPACE {
namespace {

typedef std::uint32_t Bits __attribute__((vector_size(kVectorBytes)));

MLCORE_INLINE Bits bits_of(Vec<float> v) noexcept { return reinterpret_cast<Bits>(v); }
MLCORE_INLINE Vec<float> value_of(Bits v) noexcept { return reinterpret_cast<Vec<float>>(v); }
MLCORE_INLINE void store_bits(std::uint32_t* p, Bits v) noexcept { store(reinterpret_cast<float*>(p), value_of(v)); }
MLCORE_INLINE Bits load_bits(const std::uint32_t* p) noexcept {
  return bits_of(load(reinterpret_cast<const float*>(p)));
}

// Nearest bfloat16, as the upper half of the 32 bits. A carry into the exponent is the right result.
MLCORE_INLINE Bits rounded(Vec<float> v) noexcept { return (bits_of(v) + 0x8000u) & 0xffff0000u; }

#ifdef MLCORE_WITH_AMX
#define MLCORE_AMX __attribute__((target("amx-tile,amx-bf16")))

// Eight tiles of 16 rows x 64 bytes: 0-3 results, 4-7 factors. A constant in memory: GCC's intrinsic tells the compiler
// of its first bytes only.
struct TileConfiguration {
  std::uint8_t palette, start_row, reserved[14];
  std::uint16_t bytes[16];
  std::uint8_t rows[16];
};
alignas(64) constexpr TileConfiguration kTiles = {
    1, 0, {}, {64, 64, 64, 64, 64, 64, 64, 64}, {16, 16, 16, 16, 16, 16, 16, 16}};

// GCC's tile loads and stores do not say that they touch memory.
MLCORE_INLINE void memory_barrier() noexcept { __asm__ volatile("" ::: "memory"); }

MLCORE_AMX inline void begin_amx() noexcept { _tile_loadconfig(&kTiles); }
// Frees the state: a thread switch need not save it any more.
MLCORE_AMX inline void end_amx() noexcept { _tile_release(); }
#endif

}  // namespace
}  // namespace mlcore::MLCORE_ISA_NAMESPACE
