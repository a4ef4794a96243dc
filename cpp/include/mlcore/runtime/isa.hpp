// Instruction-set levels: what was compiled in, what the CPU has, what is used.
//
// A kernel file F.kernel.cpp is compiled once per level into the namespace mlcore::isa_<level> and defines there a
// function that returns its table. The driver declares the tables with MLCORE_DECLARE_KERNELS and picks one with
// MLCORE_SELECT_KERNELS: no other code may name an isa_ namespace.
//
// Kernel files see this header through their tables, so it includes nothing of std.
#pragma once

namespace mlcore::runtime {

enum class IsaLevel : int { kBase = 1, kV3 = 3, kV4 = 4 };

/// Level in use: the highest compiled level that the CPU runs, lowered by MLCORE_ISA (base, v3, v4). Fixed at first
/// use.
IsaLevel isa_level() noexcept;
/// The same, with MLCORE_ISA left out of account.
IsaLevel isa_level_of_cpu() noexcept;
const char* isa_name(IsaLevel level) noexcept;
/// May kernels of level v4 use the matrix unit for bfloat16 (AMX)? The processor must have it, the operating system
/// must grant it (Linux: asked for at the first call), and MLCORE_ISA must not name a level: v4 means AVX-512 and no
/// more.
bool amx_bf16() noexcept;

}  // namespace mlcore::runtime

// MLCORE_DECLARE_KERNELS(Table, getter): `const Table& getter() noexcept` in every compiled level.
#define MLCORE_DECLARE_IN(ns, Table, getter) \
  namespace mlcore::ns {                     \
  const Table& getter() noexcept;            \
  }
#ifdef MLCORE_HAVE_V3
#define MLCORE_DECLARE_V3(Table, getter) MLCORE_DECLARE_IN(isa_v3, Table, getter)
#define MLCORE_PICK_V3(getter) \
  if (::mlcore::runtime::isa_level() == ::mlcore::runtime::IsaLevel::kV3) return ::mlcore::isa_v3::getter();
#else
#define MLCORE_DECLARE_V3(Table, getter)
#define MLCORE_PICK_V3(getter)
#endif
#ifdef MLCORE_HAVE_V4
#define MLCORE_DECLARE_V4(Table, getter) MLCORE_DECLARE_IN(isa_v4, Table, getter)
#define MLCORE_PICK_V4(getter) \
  if (::mlcore::runtime::isa_level() == ::mlcore::runtime::IsaLevel::kV4) return ::mlcore::isa_v4::getter();
#else
#define MLCORE_DECLARE_V4(Table, getter)
#define MLCORE_PICK_V4(getter)
#endif
#define MLCORE_DECLARE_KERNELS(Table, getter) \
  MLCORE_DECLARE_IN(isa_base, Table, getter)  \
  MLCORE_DECLARE_V3(Table, getter)            \
  MLCORE_DECLARE_V4(Table, getter)
// Body of a function that returns the table of the level in use.
#define MLCORE_SELECT_KERNELS(getter) \
  MLCORE_PICK_V4(getter)              \
  MLCORE_PICK_V3(getter)              \
  return ::mlcore::isa_base::getter();

// Body of a function that returns the table of a given level (tests compare all of them in one process); throws
// std::invalid_argument (the driver includes <stdexcept>) for a level that this build or this CPU does not have.
#ifdef MLCORE_HAVE_V3
#define MLCORE_PICK_V3_AT(level, getter) \
  if ((level) == ::mlcore::runtime::IsaLevel::kV3) return ::mlcore::isa_v3::getter();
#else
#define MLCORE_PICK_V3_AT(level, getter)
#endif
#ifdef MLCORE_HAVE_V4
#define MLCORE_PICK_V4_AT(level, getter) \
  if ((level) == ::mlcore::runtime::IsaLevel::kV4) return ::mlcore::isa_v4::getter();
#else
#define MLCORE_PICK_V4_AT(level, getter)
#endif
#define MLCORE_SELECT_KERNELS_AT(level, getter)                                                             \
  if ((level) > ::mlcore::runtime::isa_level_of_cpu()) throw std::invalid_argument("level beyond the CPU"); \
  MLCORE_PICK_V4_AT(level, getter)                                                                          \
  MLCORE_PICK_V3_AT(level, getter)                                                                          \
  if ((level) == ::mlcore::runtime::IsaLevel::kBase) return ::mlcore::isa_base::getter();                   \
  throw std::invalid_argument("level not compiled in");
