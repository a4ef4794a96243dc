// Densities and counts of symbols.
//
// The lanes' symbols of some steps become rows of a table first: a transposition in registers and a comparison for
// eight steps of eight lanes, where one symbol at a time would cost more than the recursion that waits for it.
#if MLCORE_ISA_LEVEL == 4
#include <immintrin.h>
#endif

#include "hmm/symbols.kernels.hpp"
#include "hmm/transpose.hpp"

namespace mlcore::MLCORE_ISA_NAMESPACE {
namespace {

using hmm::kGroup;
using V = Vec<double>;
constexpr int kPart = kLanes<double>;

typedef IntVec<double> I;
constexpr Index kBatch = 64;  // steps whose table rows are worked out together

MLCORE_INLINE I load_rows(const std::int64_t* rows) noexcept {
  I out;
  __builtin_memcpy(&out, rows, sizeof out);
  return out;
}

// Symbols of the steps [first, first + steps) as rows of a table of count + 2, lanes side by side.
MLCORE_INLINE void rows_of_steps(const std::int64_t* const* symbols, const Index* counts, Index first, Index steps,
                                 Index count, std::int64_t* rows) noexcept {
  Index common = steps;
  for (Index l = 0; l < kGroup; ++l) common = counts[l] - first < common ? counts[l] - first : common;
  const I missing = I{} + static_cast<std::int64_t>(count);
  Index t = 0;
  for (; t + kPart <= common; t += kPart)
    for (Index p = 0; p < kGroup; p += kPart) {
      V v[kPart];
#pragma GCC unroll 8
      for (int l = 0; l < kPart; ++l) __builtin_memcpy(&v[l], symbols[p + l] + first + t, sizeof v[l]);
      transpose_square<double>(v);
#pragma GCC unroll 8
      for (int r = 0; r < kPart; ++r) {
        I x = reinterpret_cast<I>(v[r]);
        x = x < 0 ? missing : x;
        __builtin_memcpy(rows + (t + r) * kGroup + p, &x, sizeof x);
      }
    }
  for (; t < steps; ++t)
    for (Index l = 0; l < kGroup; ++l) {
      std::int64_t row = count + 1;
      if (first + t < counts[l]) {
        const std::int64_t x = symbols[l][first + t];
        row = x < 0 ? count : x;
      }
      rows[t * kGroup + l] = row;
    }
}

#if MLCORE_ISA_LEVEL == 4
// Tables of at most 8 rows are permuted in registers, a state at a time.
constexpr Index kPermutedStates = 16;
MLCORE_INLINE V permuted(V column, I rows) noexcept {
  return reinterpret_cast<V>(_mm512_permutexvar_pd(reinterpret_cast<__m512i>(rows), reinterpret_cast<__m512d>(column)));
}
void look_up_permuted(const std::int64_t* rows, Index steps, const double* table, const double* shifts, Index count,
                      Index states, double* out, double* shift) noexcept {
  double columns[kPermutedStates * kGroup];
  for (Index j = 0; j < states; ++j)
    for (Index r = 0; r < kGroup; ++r) columns[j * kGroup + r] = r < count + 2 ? table[r * states + j] : 0.0;
  V shift_column{};
  for (Index r = 0; r < count + 2; ++r) shift_column[r] = shifts[r];
  for (Index t = 0; t < steps; ++t) {
    const I row = load_rows(rows + t * kGroup);
    for (Index j = 0; j < states; ++j)
      store(out + (t * states + j) * kGroup, permuted(load(columns + j * kGroup), row));
    if (shift != nullptr) store(shift + t * kGroup, permuted(shift_column, row));
  }
}
#endif

MLCORE_INLINE void look_up_step(const std::int64_t* rows, const double* table, Index states, double* out) noexcept {
  for (Index j = 0; j < states; j += kPart)
    for (Index p = 0; p < kGroup; p += kPart) {
      V v[kPart];
#pragma GCC unroll 8
      for (int l = 0; l < kPart; ++l) v[l] = load(table + rows[p + l] * states + j);
      transpose_square<double>(v);
      if (j + kPart <= states) {
#pragma GCC unroll 8
        for (int r = 0; r < kPart; ++r) store(out + (j + r) * kGroup + p, v[r]);
      } else {
#pragma GCC unroll 8
        for (int r = 0; r < kPart; ++r)
          if (j + r < states) store(out + (j + r) * kGroup + p, v[r]);
      }
    }
}

void look_up(const std::int64_t* const* symbols, const Index* counts, Index steps, const double* table,
             const double* shifts, Index count, Index states, double* out, double* shift) noexcept {
  std::int64_t rows[kBatch * kGroup];
  for (Index first = 0; first < steps; first += kBatch) {
    const Index n = steps - first < kBatch ? steps - first : kBatch;
    rows_of_steps(symbols, counts, first, n, count, rows);
    double* at = out + first * states * kGroup;
    double* own_shift = shift != nullptr ? shift + first * kGroup : nullptr;
#if MLCORE_ISA_LEVEL == 4
    if (count + 2 <= kGroup && states <= kPermutedStates) {
      look_up_permuted(rows, n, table, shifts, count, states, at, own_shift);
      continue;
    }
#endif
    for (Index t = 0; t < n; ++t) {
      look_up_step(rows + t * kGroup, table, states, at + t * states * kGroup);
      if (own_shift != nullptr)
        for (Index l = 0; l < kGroup; ++l) own_shift[t * kGroup + l] = shifts[rows[t * kGroup + l]];
    }
  }
}

void add_symbols(const std::int64_t* const* symbols, const Index* counts, Index steps, const double* g, Index count,
                 Index states, Index stride, double* table) noexcept {
  std::int64_t rows[kBatch * kGroup];
  for (Index t = 0; t < steps; ++t, g += states * kGroup) {
    if (t % kBatch == 0) rows_of_steps(symbols, counts, t, steps - t < kBatch ? steps - t : kBatch, count, rows);
    const std::int64_t* of_step = rows + t % kBatch * kGroup;
    for (Index j = 0; j < states; j += kPart)
      for (Index p = 0; p < kGroup; p += kPart) {
        V v[kPart];
#pragma GCC unroll 8
        for (int r = 0; r < kPart; ++r) v[r] = j + r < states ? load(g + (j + r) * kGroup + p) : V{};
        transpose_square<double>(v);
#pragma GCC unroll 8
        for (int l = 0; l < kPart; ++l) {
          double* row = table + of_step[p + l] * stride + j;
          store(row, load(row) + v[l]);
        }
      }
  }
}

void indicate(const std::int64_t* const* symbols, const Index* counts, Index steps, Index count, double* out) noexcept {
  std::int64_t rows[kBatch * kGroup];
  for (Index t = 0; t < steps; ++t, out += (count + 1) * kGroup) {
    if (t % kBatch == 0) rows_of_steps(symbols, counts, t, steps - t < kBatch ? steps - t : kBatch, count, rows);
    for (Index p = 0; p < kGroup; p += kPart) {
      const I row = load_rows(rows + t % kBatch * kGroup + p);
      store(out + p, broadcast(1.0));
      for (Index m = 0; m < count; ++m)
        store(out + (m + 1) * kGroup + p, row == static_cast<std::int64_t>(m) ? broadcast(1.0) : V{});
    }
  }
}

constexpr hmm::SymbolKernels kTable{look_up, add_symbols, indicate};

}  // namespace

const hmm::SymbolKernels& hmm_symbol_kernels() noexcept { return kTable; }

}  // namespace mlcore::MLCORE_ISA_NAMESPACE
