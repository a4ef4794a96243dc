// Kernel table of symbols: their densities from a table, and their counts.
#pragma once
#include <cstdint>

#include "hmm/chain.kernels.hpp"

namespace mlcore::hmm {

struct SymbolKernels {
  /// out_j = table[x * states + j] and shift = shifts[x] of the lane's symbol x = symbols[lane][t]. Two rows follow
  /// those of the M symbols: x = M stands for missing (negative symbols), M + 1 for beyond the lane's count. The table
  /// is padded by kGroup values. shift may be null.
  void (*look_up)(const std::int64_t* const* symbols, const Index* counts, Index steps, const double* table,
                  const double* shifts, Index count, Index states, double* out, double* shift) noexcept;
  /// table[x * stride + j] += g_j likewise; stride is a multiple of kGroup.
  void (*add_symbols)(const std::int64_t* const* symbols, const Index* counts, Index steps, const double* g,
                      Index count, Index states, Index stride, double* table) noexcept;
  /// Track of count + 1: 1 and the indicators of the symbols.
  void (*indicate)(const std::int64_t* const* symbols, const Index* counts, Index steps, Index count,
                   double* out) noexcept;
};

}  // namespace mlcore::hmm

MLCORE_DECLARE_KERNELS(mlcore::hmm::SymbolKernels, hmm_symbol_kernels)
